import { describe, expect, it } from 'vitest'
import { choosePhase2 } from '../../src/ike/choose.ts'
import { Encapsulation, EspAuthentication, EspTransform, Phase2Attribute, Protocol } from '../../src/ike/constants.ts'
import { emitAttributes, type Proposal } from '../../src/ike/proposal.ts'
import { phase2Policy } from './gateway.ts'

/** One proposal a list of further attributes, each of 3DES and SHA. */
function proposals(...further: (readonly { type: number; value: number }[])[]): Proposal[] {
  return further.map((more, i) => ({
    number: i + 1,
    protocol: Protocol.Esp,
    spi: Uint8Array.of(1, 2, 3, i),
    transforms: [
      {
        number: 1,
        id: EspTransform.TripleDes,
        attributes: emitAttributes(
          [
            { type: Phase2Attribute.EncapsulationMode, value: Encapsulation.Transport },
            { type: Phase2Attribute.Authentication, value: EspAuthentication.HmacSha1 },
            ...more,
          ].map(a => ({ ...a, bytes: undefined })),
        ),
      },
    ],
  }))
}

const choose = (offered: Proposal[]) =>
  choosePhase2(offered, phase2Policy, { keyExchange: false, udp: false, plain: true })

describe('an offer of ESP', () => {
  const extended = (value: number) => [{ type: Phase2Attribute.ExtendedSequenceNumber, value }]

  it('with sequence numbers of 64 bits, which would change every ICV, is passed over', () => {
    expect(choose(proposals(extended(1), []))).toMatchObject({ kind: 'chosen', proposal: { number: 2 } })
    expect(choose(proposals(extended(1)))).toMatchObject({
      kind: 'refused',
      nearest: expect.stringContaining('64 bits (not supported)'),
    })
  })

  it('is taken where an attribute says that there are none, or is one that nobody knows', () => {
    expect(choose(proposals(extended(0)))).toMatchObject({ kind: 'chosen' })
    expect(choose(proposals([{ type: 32_001, value: 1 }]))).toMatchObject({ kind: 'chosen' })
  })
})
