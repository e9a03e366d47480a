import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client'
import * as given from './report.mjs'

const client = new OAuth2Client({
  server: given.site,
  clientId: given.clientId,
  clientSecret: given.clientSecret,
  tokenEndpoint: given.tokenUrl,
  introspectionEndpoint: given.introspectionUrl,
  revocationEndpoint: given.revocationUrl,
  authenticationMethod: given.method,
})

const granted = await client.clientCredentials({ scope: ['read'] })
const api = new OAuth2Fetch({ client, getNewToken: () => granted })
const { client_id: caller } = await (await api.fetch(given.protectedUrl)).json()
const { active } = await client.introspect(granted)
await client.revoke(granted)
const { error: refused } = await (await given.callWith(granted.accessToken)).json()
given.report({ token: granted.accessToken, scope: granted.scope.join(' '), caller, active, refused })
