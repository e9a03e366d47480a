import * as openid from 'openid-client'
import * as given from './report.mjs'

const methods = { client_secret_basic: openid.ClientSecretBasic, client_secret_post: openid.ClientSecretPost }
const config = new openid.Configuration(
  {
    issuer: given.site,
    token_endpoint: given.tokenUrl,
    introspection_endpoint: given.introspectionUrl,
    revocation_endpoint: given.revocationUrl,
  },
  given.clientId,
  given.clientSecret,
  methods[given.method](given.clientSecret),
)
openid.allowInsecureRequests(config)

const granted = await openid.clientCredentialsGrant(config, { scope: 'read' })
const token = granted.access_token
const call = () => openid.fetchProtectedResource(config, token, new URL(given.protectedUrl), 'GET')
const { client_id: caller } = await (await call()).json()
const { active } = await openid.tokenIntrospection(config, token)
await openid.tokenRevocation(config, token)
const refused = await call().catch((error) => error.cause[0].parameters.error)
given.report({ token, scope: granted.scope, caller, active, refused })
