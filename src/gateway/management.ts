/** How the gateway is managed: the control socket, the prompts on terminals, and the SSH server, over one set of operators. */

import type { Configuration } from '../alliedware/config.ts'
import { namesOf } from '../alliedware/names.ts'
import type { Millis } from '../machine.ts'
import { formatIpv4 } from '../packet/ip.ts'
import { AdminSocket } from './admin.ts'
import type { AdminAnswer, Caller } from './caller.ts'
import type { CommandWorld } from './command-world.ts'
import { reload } from './configuration-commands.ts'
import { Access } from './login.ts'
import type { Native } from './native.ts'
import { Operator } from './operator.ts'
import { helpFile, type OperatorWorld, perform, understood } from './operator-commands.ts'
import type { Site } from './site.ts'
import type { Devices } from './site-devices.ts'
import { type SshPlace, SshServer } from './ssh-server.ts'
import { Terminals } from './terminals.ts'

export interface ManagementOptions {
  readonly socket: string
  readonly native: Native
  readonly commands: CommandWorld
  readonly now: () => Millis
  readonly wall: () => Date
  /** Who counts as root: the one whom the process runs as, too. */
  readonly uid: number
  /** What the operator was told at the start: a command repeats none of it. */
  readonly told: readonly string[]
  readonly current: () => { readonly devices: Devices; readonly site: Site }
}

const SSH_PORT = 22

export class Management {
  readonly terminals: Terminals
  private readonly o: ManagementOptions
  private readonly access: Access
  private readonly world: OperatorWorld
  private readonly admin: AdminSocket
  private readonly ssh: SshServer
  private told: ReadonlySet<string>

  constructor(o: ManagementOptions) {
    this.o = o
    this.told = new Set(o.told)
    const configuration = () => o.commands.control.configuration
    this.access = new Access({ configuration, mode: o.commands.secrets, now: o.now, log: o.commands.log })
    this.world = {
      ...o.commands,
      configure: async (c, site) =>
        this.news([...(await o.commands.configure(c, site)), ...(await this.configured(c))]),
      access: this.access,
      operators: () => this.terminals.operators(),
      sshState: () => this.ssh.state,
      keysChanged: () => this.configured(configuration()),
      tell: (terminal, text) => this.terminals.tell(terminal, text),
    }
    const carryOut = (operator: Operator, text: string, own?: boolean) => perform(this.world, operator, text, own)
    this.terminals = new Terminals({
      access: this.access,
      configuration,
      helpFile: () => helpFile(this.world),
      names: () =>
        namesOf(configuration(), {
          'ENCO key': () => o.commands.secrets.keyIds().map(k => String(k.id)),
          file: () => o.commands.files?.flash.list().map(f => f.name) ?? [],
        }),
      now: o.now,
      understood: text => understood(this.world, text),
      perform: carryOut,
    })
    o.commands.control.firewall.announce = text => this.terminals.announce(text)
    this.ssh = new SshServer({
      access: this.access,
      secrets: o.commands.secrets,
      now: o.now,
      terminals: this.terminals,
      perform: carryOut,
      operator: (user, place) => this.operator(place, { uid: o.uid, pid: process.pid }, { account: user }),
      configuration,
    })
    this.admin = new AdminSocket(
      o.socket,
      o.native,
      (request, caller) => this.command(request.command, caller),
      (wire, size, caller) => this.terminals.start(this.local(caller), wire, size.columns, size.rows),
      caller => {
        const operator = this.local(caller)
        return { configuration, perform: text => carryOut(operator, text) }
      },
    )
  }

  /** Throws where the control socket cannot be made; answers what else stands in the way. */
  async start(): Promise<string[]> {
    await this.admin.listen()
    const warnings = await this.configured(this.o.commands.control.configuration)
    this.told = new Set([...this.told, ...warnings])
    return warnings
  }

  /** The script anew, at SIGHUP. */
  reload(): Promise<AdminAnswer> {
    const caller = { uid: this.o.uid, pid: process.pid, from: 'SIGHUP' }
    return reload(this.world, { caller })
  }

  /** After another configuration came into use. */
  configured(c: Configuration): Promise<string[]> {
    return this.ssh.configure(c.ssh, sshPlace(c, this.o.current()))
  }

  stop(): void {
    this.ssh.close()
    this.terminals.close(() => true)
    this.admin.close()
  }

  /** What is odd now and was not before the command. */
  private news(warnings: readonly string[]): string[] {
    const before = this.told
    this.told = new Set(warnings)
    return warnings.filter(text => !before.has(text))
  }

  private command(text: string, caller: Caller): Promise<AdminAnswer> {
    return perform(this.world, this.local(caller), text)
  }

  private local(caller: Caller): Operator {
    const trusted = caller.uid === 0 || caller.uid === this.o.uid
    return this.operator(`vpnctl (uid ${caller.uid})`, caller, { trusted })
  }

  private operator(place: string, source: Caller, who: { trusted?: boolean; account?: string }): Operator {
    const { uid, pid } = source
    return new Operator({
      access: this.access,
      place,
      since: this.o.wall(),
      now: this.o.now(),
      source: { uid, pid },
      ...who,
    })
  }
}

/** Where SSH is heard: as the site file says, or this host itself and the addresses of the private side. */
export function sshPlace(
  c: Pick<Configuration, 'ip' | 'firewall'>,
  { devices, site }: { readonly devices: Devices; readonly site: Site },
): SshPlace {
  // Of the host, and of the script: a device without a cable in it shows the host no address yet.
  const names = new Set(
    c.firewall.policies.flatMap(p => p.interfaces.filter(i => i.type === 'private')).map(i => i.name.toLowerCase()),
  )
  const meant = c.ip.interfaces.filter(i => names.has(i.name.toLowerCase())).map(i => formatIpv4(i.address))
  const inside = devices.addresses
    .filter(a => devices.privateDevices.includes(a.device))
    .map(a => formatIpv4(a.address))
  return {
    port: site.sshPort ?? SSH_PORT,
    addresses: site.sshAddresses ?? [...new Set(['127.0.0.1', ...inside, ...meant])],
  }
}
