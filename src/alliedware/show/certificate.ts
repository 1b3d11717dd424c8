/** SHOW CERTIFICATE: the authorities, the gateway's own certificate, and those that were made for clients. */

import { type Column, facts, list, page, rule } from './layout.ts'

export interface CertificateState {
  readonly authorities: readonly { readonly name: string; readonly expires: string }[]
  readonly server: { readonly name: string; readonly expires: string; readonly calledAs: readonly string[] } | undefined
  readonly clients: readonly ClientCertificateState[]
  /** Whether clients' certificates can be made here. */
  readonly issuing: boolean
  readonly warnings: readonly string[]
}

export interface ClientCertificateState {
  readonly user: string
  readonly serial: string
  readonly state: 'good' | 'expired' | 'revoked'
  /** The day on which it runs out. */
  readonly expires: string
}

const columns: readonly Column<ClientCertificateState>[] = [
  { head: 'User', width: 20, text: c => c.user },
  { head: 'State', width: 9, text: c => c.state },
  { head: 'Expires', width: 12, text: c => c.expires },
  { head: 'Serial', width: 33, text: c => c.serial },
]

export function printCertificates(s: CertificateState): string {
  const head = [
    ...s.authorities.map(
      a =>
        `Authority: ${facts([
          ['Name', a.name],
          ['Expires', a.expires],
        ])}`,
    ),
    ...(s.server
      ? [
          `Gateway: ${facts([
            ['Name', s.server.name],
            ['Expires', s.server.expires],
          ])}`,
          `   ${facts([['Clients may call it', s.server.calledAs.join(', ')]])}`,
        ]
      : ['Gateway: none; CREATE CA makes one']),
    ...s.warnings.map(w => `Warning: ${w}`),
    rule(),
  ]
  const none = s.issuing ? 'None was made for a client.' : 'None can be made here.'
  return `${page('Certificates', rule(), head)}\n${list('Client Certificates', columns, s.clients, none)}`
}
