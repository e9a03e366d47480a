// What every script here is given, and what it says in the end.

const [site, clientId, clientSecret, method] = process.argv.slice(2)

export { clientId, clientSecret, method, site }

export const tokenUrl = `${site}/oauth/token`
export const introspectionUrl = `${site}/oauth/introspect`
export const revocationUrl = `${site}/oauth/revoke`
export const protectedUrl = `${site}/whoami`

// For the clients that do not send requests to the API themselves.
export const callWith = (token) => fetch(protectedUrl, { headers: { authorization: `Bearer ${token}` } })

// `active` and `refused` are left out where the client can neither introspect nor revoke.
export function report({ token, scope, caller, active, refused }) {
  console.log(JSON.stringify({ token, scope, caller, active, refused }))
}
