import { describe, expect, it } from 'vitest'
import { choosePhase1, choosePhase2 } from '../../src/ike/choose.ts'
import { Encapsulation, EspAuthentication, EspTransform, Phase2Attribute, Protocol } from '../../src/ike/constants.ts'
import { emitAttributes, type Proposal } from '../../src/ike/proposal.ts'
import { phase2Policy } from './gateway.ts'

/** One proposal a list of further attributes, each of 3DES and SHA where nothing else is said. */
function proposals(...further: (readonly { type: number; value: number }[])[]): Proposal[] {
  return further.map((more, i) => proposalOf(i + 1, more))
}

function proposalOf(
  number: number,
  more: readonly { type: number; value: number }[],
  id: number = EspTransform.TripleDes,
  protocol: number = Protocol.Esp,
): Proposal {
  return {
    number,
    protocol,
    spi: Uint8Array.of(1, 2, 3, number),
    transforms: [
      {
        number: 1,
        id,
        attributes: emitAttributes(
          [
            { type: Phase2Attribute.EncapsulationMode, value: Encapsulation.Transport },
            { type: Phase2Attribute.Authentication, value: EspAuthentication.HmacSha1 },
            ...more,
          ].map(a => ({ ...a, bytes: undefined })),
        ),
      },
    ],
  }
}

const choose = (offered: Proposal[]) =>
  choosePhase2(offered, phase2Policy, { keyExchange: false, udp: false, plain: true })

describe('an offer of ESP', () => {
  const extended = (value: number) => [{ type: Phase2Attribute.ExtendedSequenceNumber, value }]

  it('with sequence numbers of 64 bits, which would change every ICV, is passed over', () => {
    expect(choose(proposals(extended(1), []))).toMatchObject({ kind: 'chosen', proposal: { number: 2 } })
    expect(choose(proposals(extended(1)))).toMatchObject({
      kind: 'refused',
      nearest: expect.stringContaining('do without sequence numbers of 64 bits (for the offer ESP 3DES-SHA1)'),
    })
  })

  it('is taken where an attribute says that there are none, or is one that nobody knows', () => {
    expect(choose(proposals(extended(0)))).toMatchObject({ kind: 'chosen' })
    expect(choose(proposals([{ type: 32_001, value: 1 }]))).toMatchObject({ kind: 'chosen' })
  })
})

describe('an offer that no policy could allow', () => {
  const nearest = (...offered: Proposal[]) => {
    const refusal = choose(offered)
    return refusal.kind === 'refused' ? refusal.nearest : 'chosen'
  }
  const mode = (value: number) => [{ type: Phase2Attribute.EncapsulationMode, value }]

  it.each<[string, Proposal[], RegExp]>([
    ['without encryption', [proposalOf(1, [], EspTransform.Null)], /^let the client require encryption.*NULL-SHA1/],
    ['without integrity', [proposalOf(1, [{ type: Phase2Attribute.Authentication, value: 0 }])], /require integrity/],
    ['of AH', [proposalOf(1, [], 3, Protocol.Ah)], /^let the client offer ESP/],
    ['of AH with ESP', [proposalOf(1, [], 3, Protocol.Ah), proposalOf(1, [])], /ESP alone, not bundled/],
    ['of a tunnel', [proposalOf(1, mode(Encapsulation.Tunnel))], /use transport mode, .* not tunnel mode/],
  ])('%s: the remedy is the client’s', (_, offered, text) => expect(nearest(...offered)).toMatch(text))

  it('is not what is nearest where the policy could allow another', () => {
    const offered = [proposalOf(1, [], EspTransform.Null), proposalOf(2, [], EspTransform.Des)]
    expect(nearest(...offered)).toBe('allow ESP DES-SHA1 (for the offer ESP DES-SHA1)')
  })

  it('of XAUTH in Main Mode belongs to another kind of connection', () => {
    const values = { 1: 5, 2: 2, 3: 65_001, 4: 2 }
    const attributes = Object.entries(values).map(([type, value]) => ({ type: Number(type), value, bytes: undefined }))
    const transforms = [{ number: 1, id: 1, attributes: emitAttributes(attributes) }]
    const offered = [{ number: 1, protocol: Protocol.Isakmp, spi: new Uint8Array(0), transforms }]
    const allowed = { ciphers: ['3des'], hashes: ['sha1'], groups: [2], authentication: 'psk' } as const
    expect(choosePhase1(offered, allowed)).toMatchObject({
      kind: 'refused',
      nearest: expect.stringMatching(/^choose L2TP over IPsec on the client/),
    })
  })
})
