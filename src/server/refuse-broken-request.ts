import type { Socket } from 'node:net'

const ALLOW = 'Allow: GET, HEAD\r\n'
const REPLIES: Readonly<Record<string, string>> = {
  HPE_INVALID_METHOD: `405 Method Not Allowed\r\n${ALLOW}`,
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large\r\n',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout\r\n',
}

/** Answers what never became a request (malformed, too large, too slow) in one line and lets the socket go at once. */
export function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  end(socket, REPLIES[error.code ?? ''] ?? '400 Bad Request\r\n')
}

/** CONNECT never becomes a request either: Node hands over the bare socket. */
export function refuseConnect(socket: Socket): void {
  end(socket, `405 Method Not Allowed\r\n${ALLOW}`)
}

function end(socket: Socket, reply: string): void {
  // A peer that resets while we answer must not raise an error that nobody listens for.
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${reply}Content-Length: 0\r\nConnection: close\r\n\r\n`, () => socket.destroy())
}
