/** What the error numbers of RAS and IKE in Windows mean for one who dials this gateway; docs/troubleshooting.md has more. */

const meanings: Readonly<Record<number, string>> = {
  619: 'the port was disconnected',
  623: 'the phonebook has no such connection',
  628: 'the other side ended the connection',
  629: 'the other side ended the connection',
  631: 'the connection was ended by the user',
  633: 'the port is in use already',
  649: 'the account may not dial in, or no address is left for it',
  651: 'the device reported an error',
  668: 'there is no connection',
  678: 'the other side did not answer in PPP or L2TP',
  691: 'user name or password is wrong',
  718: 'the other side fell silent in PPP',
  720: 'PPP agreed on no protocol',
  721: 'the other side did not answer in PPP',
  732: 'PPP did not converge',
  734: 'the link was ended by LCP',
  738: 'the server assigned no address',
  741: 'the client insists on encryption in PPP',
  742: 'the client insists on stronger encryption in PPP',
  768: 'data could not be encrypted',
  778: "the server's own proof was wrong",
  781: 'the client found no valid certificate in the store of the computer',
  786: 'there is no valid certificate in the store of the computer',
  787: "the server's proof in IPsec was not accepted",
  788: 'the two sides agreed on no security in IPsec',
  789: 'IKE failed: the key, the algorithms, a certificate, or NAT',
  791: 'there is no IPsec policy for the connection',
  792: 'IKE had no answer in time',
  809: 'no answer: UDP 500 and 4500, or a NAT before the server',
  835: "the server's certificate does not name it",
  919: 'no common way of logging in',
}

/** One line for an error number of rasdial, such as "RAS 691: user name or password is wrong". */
export function explainRasError(error: number): string {
  return `RAS ${error}: ${meanings[error] ?? 'net helpmsg in the guest may know it'}`
}
