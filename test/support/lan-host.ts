/**
 * The host on the LAN behind the gateway, a program of its own: `node lan-host.js ADDRESS`.
 *
 *   GET /        says from which address the request came
 *   GET /N       N bytes of `pattern`
 *   PUT /        answers with the SHA-256 of what it was sent
 */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { pattern } from './pattern.ts'

const server = createServer((request, response) => {
  if (request.method === 'PUT') {
    const hash = createHash('sha256')
    request.on('data', chunk => hash.update(chunk))
    request.on('end', () => response.end(hash.digest('hex')))
    return
  }
  const bytes = Number(request.url?.slice(1) || Number.NaN)
  response.end(Number.isNaN(bytes) ? `you are ${request.socket.remoteAddress}\n` : pattern(bytes))
})

server.listen(80, process.argv[2], () => process.stdout.write('serving\n'))
