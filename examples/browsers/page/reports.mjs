// The page's own server gets the token, because a page cannot keep a secret.
export async function token(site) {
  return (await fetch(`${site}/token`, { method: "POST" })).json();
}

// The browser sends a preflight first, because of the header Authorization.
export async function call({ api, token }, method) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const answer = await fetch(`${api}/reports`, { method, headers });
  const body = await answer.json();
  return answer.ok ? body : { ...body, challenge: answer.headers.get("WWW-Authenticate") };
}
