// Checks the token on each line of its input; the key set is kept meanwhile.
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [issuer, audience] = process.argv.slice(2)
const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json()
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { cooldownDuration: 0 })
const requiredClaims = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti']

for await (const token of createInterface({ input: process.stdin })) {
  const answer = await jwtVerify(token, keys, { issuer: metadata.issuer, audience, typ: 'at+jwt', requiredClaims })
    .then(({ payload, protectedHeader }) => ({ payload, header: protectedHeader }))
    .catch((error) => ({ error: error.code }))
  console.log(JSON.stringify(answer))
}
