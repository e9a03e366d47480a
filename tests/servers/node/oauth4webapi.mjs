import * as oauth from 'oauth4webapi'
import * as given from './report.mjs'

const server = {
  issuer: given.site,
  token_endpoint: given.tokenUrl,
  introspection_endpoint: given.introspectionUrl,
  revocation_endpoint: given.revocationUrl,
}
const client = { client_id: given.clientId }
const methods = { client_secret_basic: oauth.ClientSecretBasic, client_secret_post: oauth.ClientSecretPost }
const authentication = methods[given.method](given.clientSecret)
const options = { [oauth.allowInsecureRequests]: true }

const granted = await oauth.processClientCredentialsResponse(
  server,
  client,
  await oauth.clientCredentialsGrantRequest(server, client, authentication, { scope: 'read' }, options),
)
const token = granted.access_token
const call = () => oauth.protectedResourceRequest(token, 'GET', new URL(given.protectedUrl), undefined, undefined, options)
const { client_id: caller } = await (await call()).json()
const { active } = await oauth.processIntrospectionResponse(
  server,
  client,
  await oauth.introspectionRequest(server, client, authentication, token, options),
)
await oauth.processRevocationResponse(
  await oauth.revocationRequest(server, client, authentication, token, options),
)
// It throws what it reads out of the challenge.
const refused = await call().catch((error) => error.cause[0].parameters.error)
given.report({ token, scope: granted.scope, caller, active, refused })
