import axios from 'axios'
import { clientCredentials } from 'axios-oauth-client'
import * as given from './report.mjs'

const grant = clientCredentials(axios.create(), given.tokenUrl, given.clientId, given.clientSecret)

const granted = await grant('read')
const headers = { Authorization: `${granted.token_type} ${granted.access_token}` }
const { data } = await axios.get(given.protectedUrl, { headers })
given.report({ token: granted.access_token, scope: granted.scope, caller: data.client_id })
