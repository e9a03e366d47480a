import { ClientCredentials } from 'simple-oauth2'
import * as given from './report.mjs'

const options = {
  client_secret_basic: { authorizationMethod: 'header', credentialsEncodingMode: 'strict' },
  client_secret_basic_raw: { authorizationMethod: 'header', credentialsEncodingMode: 'loose' },
  client_secret_post: { authorizationMethod: 'body' },
}
const client = new ClientCredentials({
  client: { id: given.clientId, secret: given.clientSecret },
  auth: { tokenHost: given.site },
  options: options[given.method],
})

const granted = await client.getToken({ scope: 'read' })
const token = granted.token.access_token
const { client_id: caller } = await (await given.callWith(token)).json()
// By default it wants JSON even of this answer, whose body means nothing (RFC 7009 §2.2).
await granted.revoke('access_token', { json: true })
const { error: refused } = await (await given.callWith(token)).json()
given.report({ token, scope: granted.token.scope, caller, refused })
