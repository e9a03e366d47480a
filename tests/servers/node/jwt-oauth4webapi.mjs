// From the API's URL alone: where its tokens come from, one of them, and what it and its issuer say of it.
import * as oauth from 'oauth4webapi'
import * as given from './report.mjs'

const options = { [oauth.allowInsecureRequests]: true }
const api = new URL(given.site)

const resource = await oauth.processResourceDiscoveryResponse(api, await oauth.resourceDiscoveryRequest(api, options))
const issuer = new URL(resource.authorization_servers[0])
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }),
)
const client = { client_id: given.clientId }
const authentication = oauth.ClientSecretBasic(given.clientSecret)

const granted = await oauth.processClientCredentialsResponse(
  server,
  client,
  await oauth.clientCredentialsGrantRequest(server, client, authentication, { scope: 'read' }, options),
)
const token = granted.access_token
const request = new Request(given.protectedUrl, { headers: { authorization: `Bearer ${token}` } })
const claims = await oauth.validateJwtAccessToken(server, request, resource.resource, options)
const elsewhere = await oauth
  .validateJwtAccessToken(server, request, 'https://other.example', options)
  .catch((error) => error.code)

const introspect = async () =>
  oauth.processIntrospectionResponse(
    server,
    client,
    await oauth.introspectionRequest(server, client, authentication, token, options),
  )
const before = await introspect()
await oauth.processRevocationResponse(
  await oauth.revocationRequest(server, client, authentication, token, options),
)
const { active } = await introspect()
const refused = await oauth
  .protectedResourceRequest(token, 'GET', new URL(given.protectedUrl), undefined, undefined, options)
  .catch((error) => error.cause[0].parameters)
console.log(JSON.stringify({ token, claims, elsewhere, before, active, refused }))
