import ClientOAuth2 from 'client-oauth2'
import * as given from './report.mjs'

const client = new ClientOAuth2({
  clientId: given.clientId,
  clientSecret: given.clientSecret,
  accessTokenUri: given.tokenUrl,
  scopes: ['read'],
})

const granted = await client.credentials.getToken()
const signed = granted.sign({ method: 'get', url: given.protectedUrl })
const { client_id: caller } = await (await fetch(signed.url, { headers: signed.headers })).json()
given.report({ token: granted.accessToken, scope: granted.data.scope, caller })
