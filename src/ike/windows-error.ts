/** The Windows error codes that a client gives as its reason (private notify 0x9C43, [MS-IKEE] section 2.2.6), in words. */

/** ERROR_IPSEC_IKE_... of winerror.h, as far as a client of ours can meet them. */
const meanings: Readonly<Record<number, string>> = {
  13801: 'it does not accept our proof of identity (ERROR_IPSEC_IKE_AUTH_FAIL)',
  13802: 'it does not accept the algorithms (ERROR_IPSEC_IKE_ATTRIB_FAIL)',
  13804: 'it could not process the negotiation (ERROR_IPSEC_IKE_GENERAL_PROCESSING_ERROR)',
  13805: 'it waited too long (ERROR_IPSEC_IKE_TIMED_OUT)',
  13806: 'it has no valid machine certificate (ERROR_IPSEC_IKE_NO_CERT)',
  13807: 'the SA was deleted before it was complete (ERROR_IPSEC_IKE_SA_DELETED)',
  13808: 'the SA was given up before it was complete (ERROR_IPSEC_IKE_SA_REAPED)',
  13813: 'it got no answer (ERROR_IPSEC_IKE_DROP_NO_RESPONSE)',
  13816: 'an error that it does not name (ERROR_IPSEC_IKE_ERROR)',
  13817: 'it could not check whether our certificate is revoked (ERROR_IPSEC_IKE_CRL_FAILED)',
  13818: 'the key usage of a certificate is wrong (ERROR_IPSEC_IKE_INVALID_KEY_USAGE)',
  13819: 'the type of a certificate is wrong (ERROR_IPSEC_IKE_INVALID_CERT_TYPE)',
  13820: 'its machine certificate has no private key (ERROR_IPSEC_IKE_NO_PRIVATE_KEY)',
  13822: 'Diffie-Hellman failed (ERROR_IPSEC_IKE_DH_FAIL)',
  13824: 'a header is invalid (ERROR_IPSEC_IKE_INVALID_HEADER)',
  13825: 'it has no IPsec policy for this (ERROR_IPSEC_IKE_NO_POLICY)',
  13826: 'our signature does not verify (ERROR_IPSEC_IKE_INVALID_SIGNATURE)',
  13828: 'our certificate has no public key (ERROR_IPSEC_IKE_NO_PUBLIC_KEY)',
  13830: 'our SA payload is not acceptable (ERROR_IPSEC_IKE_PROCESS_ERR_SA)',
  13833: 'our key exchange is not acceptable (ERROR_IPSEC_IKE_PROCESS_ERR_KE)',
  13834: 'our identity is not acceptable (ERROR_IPSEC_IKE_PROCESS_ERR_ID)',
  13835: 'our certificate is not acceptable (ERROR_IPSEC_IKE_PROCESS_ERR_CERT)',
  13837: 'our hash is wrong (ERROR_IPSEC_IKE_PROCESS_ERR_HASH)',
  13838: 'our signature is not acceptable (ERROR_IPSEC_IKE_PROCESS_ERR_SIG)',
  13839: 'our nonce is not acceptable (ERROR_IPSEC_IKE_PROCESS_ERR_NONCE)',
  13843: 'a payload is invalid (ERROR_IPSEC_IKE_INVALID_PAYLOAD)',
  13846: 'a cookie is invalid (ERROR_IPSEC_IKE_INVALID_COOKIE)',
  13847: 'we sent no certificate (ERROR_IPSEC_IKE_NO_PEER_CERT)',
  13848: 'our certificate is revoked (ERROR_IPSEC_IKE_PEER_CRL_FAILED)',
  13849: 'its policy changed (ERROR_IPSEC_IKE_POLICY_CHANGE)',
  13850: 'it has no Main Mode policy (ERROR_IPSEC_IKE_NO_MM_POLICY)',
  13865: 'the group is invalid (ERROR_IPSEC_IKE_INVALID_GROUP)',
  13868: 'our answer is not in its policy (ERROR_IPSEC_IKE_POLICY_MATCH)',
  13869: 'it does not support our kind of identity (ERROR_IPSEC_IKE_UNSUPPORTED_ID)',
  13870: 'our hash does not verify (ERROR_IPSEC_IKE_INVALID_HASH)',
}

/** E.g. "Windows error 13801: it does not accept our proof of identity (ERROR_IPSEC_IKE_AUTH_FAIL)". */
export function windowsErrorText(code: number): string {
  const meaning = meanings[code]
  return `Windows error ${code}${meaning === undefined ? '' : `: ${meaning}`}`
}
