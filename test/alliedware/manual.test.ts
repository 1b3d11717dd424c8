/**
 * The router's commands as its manuals have them, module by module: each is taken, with each parameter and the values at the
 * ends of its range, or refused with a reason. What was read where is in docs/alliedware.md.
 */

import { describe, expect, it } from 'vitest'
import { applyCommand } from '../../src/alliedware/apply.ts'
import { parseCommand } from '../../src/alliedware/parse.ts'
import { readScript } from '../../src/alliedware/script.ts'

/**
 * A line is the verb and its object, with what must stand with them, then `:` and parameters: `name=1..9` a range, `name=A|B`
 * words, `name=bool` the six booleans, `name` alone a flag, anything else a value. `~` before one: held; `!`: refused.
 */
const manual: Readonly<Record<string, string>> = {
  system: `
    set system: name="IPSec Gateway" ~contact=me ~location=here ~territory=europe ~distinguishedname=x
    set help=450-261a.hlp
    show system
    show time
    set time: time=10:00:00
    show debug: active active=ALL active=isakmp
    enable system security
    disable system security
    load: method=tftp file=a.cfg server=192.0.2.1
    upload: method=tftp file=a.cfg server=192.0.2.1
    edit a.cfg
    copy a.cfg b.cfg
    rename a.cfg b.cfg
    delete file=a.cfg
    show file
    show file=a.cfg
    show feature
    create config=vpn.cfg
    set config=vpn.cfg
    set config=NONE
    show config: dynamic dynamic=ip dynamic=ip,isakmp
    restart router: config=test.cfg
    restart reboot
    activate script=a.scp
    help
    help show
    login secoff
    logon secoff
    logoff
    logout
    ping 192.0.2.1
    add alias=ed: string="enable isa debug"
    delete alias=ed
    show alias`,
  user: `
    add user=x password=friend1: description="Security Officer Account" ipaddress=192.0.2.1 netmask=255.255.255.0 mtu=40..1500
    add user=x password=friend1: privilege=USER|MANAGER|SECURITYOFFICER login=bool telnet=bool ~callingnumber=5551 ~cbnumber=5551 ~ipxnetwork=12 ~radiusbackup=bool
    set user=x: password=friend2 description=x ipaddress=192.0.2.1 netmask=255.0.0.0 mtu=1000 privilege=MANAGER login=bool telnet=bool ~callingnumber=1 ~radiusbackup=bool
    delete user=x
    purge user
    enable user=x
    disable user=x
    reset user: counter counter=ALL
    reset user=x
    set password
    show user: configuration
    show user=x: configuration
    set user: loginfail=1..10 lockoutpd=1..30000 manpwdfail=1..5 securedelay=10..3600 minpwdlen=1..23 ~tacretries=3 ~tactimeout=5
    enable user rso
    disable user rso
    add user rso ip=192.0.2.1: ~mask=255.255.255.0
    delete user rso ip=192.0.2.1
    add radius server=192.0.2.1 secret=radishes: ~port=1645 ~accport=1646 ~local=NONE
    delete radius server=192.0.2.1
    set radius: ~timeout=6 ~retransmitcount=3 ~deadtime=0
    show radius
    add tacacs server=192.0.2.1
    delete tacacs server=192.0.2.1
    set manager port=0`,
  enco: `
    create enco key=0 type=general: value=abc description=x ipaddress=192.0.2.1 module=isakmp module=0..255
    create enco key=65535 type=aes128: value=0x00112233445566778899aabbccddeeff random
    create enco key=1 type=des: value=0x0011223344556677
    create enco key=1 type=3desouter: random
    create enco key=1 type=3des2key: random
    create enco key=1 type=aes192: random
    create enco key=1 type=aes256: random
    create enco key=1 type=rsa: length=2..2048 file=x.key format=HEX|NIQ|SSH
    set enco key=1: description=x ipaddress=192.0.2.1 module=isakmp
    destroy enco key=1
    set enco sw=4
    set enco dhpriority=high
    set enco dhpadding=on
    show enco
    show enco channel
    show enco counters
    show enco key
    show enco key=1
    reset enco counters
    enable enco debugging
    disable enco debugging
    enable enco compstatistics
    disable enco compstatistics
    enable feature=3des password=x`,
  ipsec: `
    create ipsec saspecification=0 keymanagement=ISAKMP protocol=ESP: encalg=3DES2KEY|3DESINNER|3DESOUTER|AES128|AES192|AES256|DES|NULL hashalg=DESMAC|MD5|NULL|SHA ~compalg=LZS mode=TRANSPORT|TUNNEL antireplayenabled=bool replaywindowsize=32|64|128|256
    create ipsec saspecification=255 keymanagement=MANUAL protocol=AH: ~enckey=1 ~hashkey=1 ~inspi=300 ~outspi=300
    create ipsec saspecification=1 keymanagement=MANUAL protocol=COMP
    create ipsec sas=1 key=isa prot=es: enc=des has=sh mod=tr
    set ipsec saspecification=1: encalg=DES hashalg=SHA mode=TRANSPORT
    destroy ipsec saspecification=1
    create ipsec bundlespecification=0 keymanagement=ISAKMP string="1 or 2": expirykbytes=1..2000000000 expiryseconds=300..31449600
    create ipsec bundlespecification=255 keymanagement=MANUAL string="1 AND 3"
    create ipsec bundlespecification=1 keymanagement=ISAKMP string="1,2 and 3"
    set ipsec bundlespecification=1: string=1 expirykbytes=1 expiryseconds=300
    destroy ipsec bundlespecification=1
    create ipsec policy=x interface=eth0 action=DENY: ~ipversion=4 !ipversion=6 bundlespecification=0..255 ~dfbit=SET|COPY|CLEAR group=0|1|2 icmptype=8 icmptype=0,8 !icmptype=NDALL ~iproutetemplate=t isakmppolicy=r keymanagement=ISAKMP|MANUAL laddress=ANY laddress=192.0.2.1-192.0.2.9 lname=ANY lname=here lport=ANY|OPAQUE|500 peeraddress=192.0.2.1 peeraddress=ANY|DYNAMIC position=1..100 raddress=ANY ~respondbadspi=bool rname=there rport=ANY|OPAQUE|500
    create ipsec policy=x interface=eth0 action=PERMIT: ~saselectorfrompkt=ALL|LADDRESS|LPORT|NONE|RADDRESS|RPORT|TRANSPORTPROTOCOL ~srcinterface=eth1 transportprotocol=ANY|EGP|ESP|GRE|ICMP|OPAQUE|OSPF|RSVP|TCP|UDP transportprotocol=0..255 ~udpheartbeat=bool ~udpport=2746 ~udptunnel=bool usepfskey=bool
    create ipsec policy=x interface=eth0 action=IPSEC laddress=192.0.2.0 raddress=198.51.100.0: lmask=255.255.255.0 rmask=255.255.255.0
    set ipsec policy=x: action=PERMIT bundlespecification=1 lport=1701 position=2
    destroy ipsec policy=x
    enable ipsec
    disable ipsec
    purge ipsec
    reset ipsec policy
    reset ipsec policy=x
    reset ipsec counter
    enable ipsec policy: debug debug=ALL|FILTER|PACKET|TRACE
    enable ipsec policy=x debug: where=x display=y selector=z timeout=60
    disable ipsec policy=x: debug debug=ALL
    show ipsec
    show ipsec saspecification=1
    show ipsec bundlespecification=1
    show ipsec policy=x: counter sabundle
    show ipsec sa=1: counter
    show ipsec counter=x
    show ipsec udptunnel`,
  isakmp: `
    create isakmp policy=x peer=ANY: authtype=PRESHARED|RSASIG key=0..65535 ~localrsakey=0..65535 encalg=DES|3DESOUTER|AES128|AES192|AES256 hashalg=SHA|MD5 group=0|1|2 ~dhexponentlength=160..1023 mode=MAIN|AGGRESSIVE
    create isakmp policy=x peer=192.0.2.1: expiryseconds=600..31449600 ~expirykbytes=1..1000 localid=local remoteid=me@here.example nattraversal=bool senddeletes=bool sendnotify=bool ~sendidalways=bool ~setcommitbit=bool ~heartbeatmode=BOTH|NONE|RECEIVE|SEND
    create isakmp policy=x peer=vpn.example.org: dpdmode=BOTH|NONE|RECEIVE dpdidletimeout=1..86400 msgretrylimit=0..1024 msgtimeout=1..86400 msgbackoff=INCREMENTAL|NONE ~retryikeattempts=0..16 ~retryikeattempts=CONTINUOUS ~phase2xchglimit=NONE ~phase2xchglimit=1..1024 ~deletedelay=0..30
    create isakmp policy=x peer=ANY: ~prenegotiate=bool ~rekey=bool ~policyfilename=x.scp ~srcinterface=eth0 xauth=NONE !xauth=CLIENT !xauth=SERVER ~xauthname=x ~xauthpassword=y ~xauthtype=GENERIC|RADIUS hybridxauth=OFF !hybridxauth=ON
    set isakmp policy=x: key=1 natt=on
    destroy isakmp policy=x
    enable isakmp: localrsakey=1 policyserverenabled=bool quietmode
    disable isakmp
    enable isakmp: debug debug=ALL|DEFAULT|PACKET|PKTRAW|STATE|TRACE|TRACEMORE
    disable isakmp: debug debug=ALL
    reset isakmp
    reset isakmp policy=x
    show isakmp
    show isakmp policy=x
    show isakmp sa=1
    show isakmp exchange=0
    show isakmp exchange=65535
    show isakmp counter
    show isakmp counter=AGGRESSIVE
    show isakmp counter=GENERAL
    show isakmp counter=HEARTBEAT
    show isakmp counter=INFO
    show isakmp counter=IPSEC
    show isakmp counter=MAIN
    show isakmp counter=NETWORK
    show isakmp counter=QUICK
    show isakmp counter=SAD
    show isakmp counter=SPD
    show isakmp counter=TRANSACTION
    show isakmp counter=XDB`,
  ppp: `
    create ppp template=0: copy=0..31 authentication=CHAP|EITHER|PAP|NONE bap=bool ~bapmode=CALL|CALLBACK ~cbdelay=1..100 ~cbmode=ACCEPT|OFF|REQUEST ~cbnumber=5551 ~cboperation=E164NUMBER|USERAUTH ~compalgorithm=PREDICTOR|STACLZS ~compression=bool ~compression=LINK ~debugmaxbytes=16..256 ~description=x ~downrate=0..100 ~downtime=60
    create ppp template=31: echo=bool echo=30 ~encryption=bool ~fragment=bool ~fragoverhead=0..100 idle=bool idle=60 ~indatalimit=NONE ~indatalimit=1..65535 ippool=p ippool=NONE ~iprequest=bool ~login=ALL|RADIUS|TACACS|USER lqr=bool lqr=60 ~magic=bool ~maxlinks=1..64 mru=bool mru=256..1656 mssheader=40..200 mtu=256..1500
    create ppp template=1: ~multilink=bool ~nullfragtimer=3 ~onlinelimit=NONE ~onlinelimit=1..65535 ~outdatalimit=NONE ~password=x ~predcheck=CRC16|CRCCCITT rechallenge=bool rechallenge=360..3600 ~restart=3 ~staccheck=LCB|SEQUENCE ~starentity=1..255 ~terminate=CONTINUOUS ~terminate=2 ~totaldatalimit=NONE ~uprate=80 ~uptime=60 ~username=x ~vjc=bool
    set ppp template=1: echo=30 lqr=off
    destroy ppp template=1
    create ppp=0 over=tnl-x
    set ppp=0 idle=60
    set ppp: dnsprimary=192.0.2.1 dnssecondary=192.0.2.1 winsprimary=192.0.2.1 winssecondary=192.0.2.1
    show ppp: configuration counter idletimer limits multilink nameservers template utilisation txstatus
    show ppp=0: config count
    show ppp template=1
    enable ppp=0
    disable ppp=0
    reset ppp=0
    activate ppp=0
    enable ppp template=1: debug debug=ALL|AUTH|DEMAND|LCP|NCP|PKT|UTILISATION debug=auth,lcp
    enable ppp template=1 debug: asyn=0 timeout=NONE|60 numpkts=CONT|10
    disable ppp template=1 debug`,
  l2tp: `
    enable l2tp
    disable l2tp
    enable l2tp: server=LAC|LNS|BOTH
    disable l2tp server
    add l2tp ip=1.1.1.1-255.255.255.254 ppptemplate=0: number=bool number=STARTUP pre13=bool tosreflect=bool
    add l2tp ip=1.1.1.1: ppptemplate=0..31 pptemplate=0..31
    delete l2tp ip=1.1.1.1
    set l2tp: ~password=x ~checksum=bool ~filter=1 ~window=4
    reset l2tp counter
    enable l2tp: debug debug=ALL
    disable l2tp: debug debug=ALL
    show l2tp
    show l2tp call
    show l2tp ip
    show l2tp tunnel
    show l2tp user
    activate l2tp call=x
    deactivate l2tp call=x
    !add l2tp call=x type=virtual ip=192.0.2.1
    !set l2tp call=x number=on
    !delete l2tp call=x
    !add l2tp user=x action=database
    !set l2tp user=x action=database
    !delete l2tp user=x
    !add l2tp password=x
    !delete l2tp password=x`,
  ip: `
    enable ip
    disable ip
    add ip interface=eth0 ipaddress=192.0.2.1: mask=255.255.255.0 ~broadcast=1 ~metric=1..16 ~proxyarp=on
    add ip interface=ppp1-1 ipaddress=192.0.2.1
    !add ip interface=eth0 ipaddress=DHCP
    set ip interface=eth0: ipaddress=192.0.2.9 mask=255.255.255.0
    delete ip interface=eth0
    add ip route=0.0.0.0 interface=eth0 nexthop=192.0.2.1: mask=0.0.0.0 metric=1..16 metric1=1..16 preference=0..65535 policy=0..7
    set ip route=0.0.0.0 interface=eth0: mask=0.0.0.0 nexthop=192.0.2.2 metric=2 preference=60
    delete ip route=0.0.0.0: mask=0.0.0.0 interface=eth0 nexthop=192.0.2.1
    create ip pool=p: ip=192.0.2.1 ip=192.0.2.1-192.0.2.9
    set ip pool=p ip=192.0.2.1
    destroy ip pool=p
    show ip pool
    show ip pool=p
    set ip local ip=0.0.0.0
    show ip
    show ip interface
    show ip route
    show ip counter
    show ip udp
    show ip tcp
    show ip arp`,
  log: `
    create log output=1 destination=SYSLOG server=192.0.2.1: messages=10 ~format=FULL ~secure=bool
    create log output=TEMPORARY destination=MEMORY
    create log output=2: destination=MEMORY|NVS|EMAIL|ROUTER|PORT|ASYN
    set log output=1: server=192.0.2.2
    destroy log output=1
    add log output=1: filter=1 severity=>5 severity=<3 severity=0..7 module=ISAK type=MSG subtype=x action=IGNORE all
    delete log output=1 filter=1
    add log receive=192.0.2.1
    delete log receive=192.0.2.1
    enable log
    disable log
    enable log generation
    disable log generation
    enable log reception
    disable log reception
    enable log output
    disable log output=1
    flush log
    purge log
    set log utcoffset=+01:00
    show log: tail tail=20 reverse reverse=20 module=FIRE severity=>5 counter status queue receive
    show log=T
    show log=P
    show log output
    show log output=1`,
  ssh: `
    enable ssh server: serverkey=2 hostkey=3 expirytime=12 logintimeout=60
    set ssh server: logintimeout=60
    disable ssh server
    add ssh user=x: password=y keyid=4 ipaddress=192.0.2.1
    add ssh user=x ipaddress=192.0.2.0: mask=255.255.255.0
    set ssh user=x: password=z
    delete ssh user=x
    show ssh: user sessions`,
  firewall: `
    enable firewall
    disable firewall
    create firewall policy=x
    destroy firewall policy=main
    add firewall policy=main interface=eth1 type=PUBLIC: method=DYNAMIC|PASSALL upnptype=LAN|WAN
    add firewall policy=main interface=vlan2 type=PRIVATE
    delete firewall policy=main interface=eth0
    add firewall policy=main interface=eth0 action=ALLOW protocol=all: rule=1..1000
    add firewall policy=main rule=9 interface=eth0 action=ALLOW: protocol=ALL|GRE|OSPF|SA|TCP|UDP|ICMP|ESP|EGP protocol=0..255
    add firewall policy=main rule=9 interface=eth0 action=ALLOW protocol=UDP: ip=192.0.2.1 ip=192.0.2.1-192.0.2.9 port=ALL|80|80-90 gblip=192.0.2.1 gblport=ALL|80|80-90 remoteip=192.0.2.1-192.0.2.9 sourceport=ALL|1024-2048 encapsulation=NONE|IPSEC after=10:00 before=12:00 days=MON|TUE|WED|THU|FRI|SAT|SUN|WEEKDAY|WEEKEND|ALL|mon,tue ttl=01:00 list=x
    add firewall policy=main rule=9 interface=eth0 protocol=all: action=DENY|NAT|NONAT
    !add firewall policy=main rule=9 interface=eth0 protocol=all action=nat nattype=double
    !add firewall policy=main rule=9 interface=eth0 protocol=all action=nat gblip=192.0.2.0 natmask=255.255.255.0
    !add firewall policy=main rule=9 interface=eth0 protocol=all action=allow list=radius
    add firewall policy=main rule=9 interface=eth0 protocol=all action=nat: nattype=ENHANCED|REVERSE|STANDARD gblremoteip=192.0.2.1
    set firewall policy=main rule=1 action=DENY
    delete firewall policy=main rule=1
    add firewall policy=main nat=ENHANCED interface=vlan1 gblinterface=eth0: ip=192.0.2.1 gblip=192.0.2.1-192.0.2.9
    add firewall policy=main nat=STANDARD interface=vlan1 gblinterface=eth0
    add firewall policy=main nat=REVERSE interface=vlan1 gblinterface=eth0
    delete firewall policy=main nat=ENHANCED interface=vlan1 gblinterface=eth0
    create firewall policy=main dynamic=callers
    destroy firewall policy=main dynamic=callers
    add firewall policy=main dynamic=callers: user=anna user=ANY|NONE file=names.txt
    delete firewall policy=main dynamic=callers user=anna
    add firewall policy=main list=x: file=hosts.txt type=IP|ADDRESS
    set firewall policy=main: tcptimeout=0..43200 udptimeout=0..43200 othertimeout=0..43200 esptimeout=0..43200 ftpdataport=RFC|ANY ~upnp=ENABLED|DISABLED
    add firewall policy=main udpporttimeout=53: timeout=0..43200
    enable firewall policy=main: icmp_forwarding=ALL|PARAMETER|PING|SOURCEQUENCH|TIMEEXCEEDED|TIMESTAMP|UNREACHABLE options=ALL|RECORD_ROUTE|SECURITY|SOURCEROUTING|TIMESTAMP ping fragment=udp accounting
    disable firewall policy=main: ping accounting identproxy tcpsetupproxy
    enable firewall policy=main: log=ALLOW|DENY|DENYDUMP|INALLOW|INDENY|OUTALLOW|OUTDENY|INATCP|INAUDP|INAICMP|INAOTHER|INDDTCP
    set firewall policy=main attack=SYNATTACK: intrigger=10 outtrigger=10 detail=5 time=2
    set firewall policy=main: attack=DOSFLOOD|FRAGMENT|HOSTSCAN|IPSPOOF|LAND|OTHER|PINGOFDEATH|PORTSCAN|SMTPRELAY|SMURF|SMURFAMP|SPAM|SYNATTACK|TCPTINY|UDPATTACK
    enable firewall: notify=ALL|MAIL|MANAGER|PORT|SNMP
    enable firewall notify=mail: port=1 to=me
    enable firewall sessionreport
    set firewall maxfragments=20
    delete firewall session=12ab
    show firewall
    show firewall policy=main: counter summary rule rule=1 limitrule detail
    show firewall event: policy=main reverse=5 tail tail=5
    show firewall event=ALLOW
    show firewall event=DENY
    show firewall event=NOTIFY
    show firewall session: counter ip=192.0.2.1 port=80 protocol=tcp summary
    show firewall accounting
    show firewall arp
    show firewall monitor`,
  others: `
    create trigger=1 time=12:00 script=a.scp
    add script=a.scp: text=x
    add script=a.scp text=x: line=1
    enable snmp
    enable telnet server`,
}

const SIX = ['ON', 'OFF', 'TRUE', 'FALSE', 'YES', 'NO']

/** What must be taken, and what refused, of one parameter. */
function samples(parameter: string): { good: string[]; bad: string[] } {
  const [name, value] = [parameter.replace(/=.*$/, ''), /=(.*)$/.exec(parameter)?.[1]]
  const given = (values: readonly (string | number)[]) => values.map(v => `${name}=${v}`)
  if (value === undefined) return { good: [name], bad: [] }
  if (value === 'bool') return { good: given(SIX), bad: given(['maybe']) }
  const range = /^(\d+)\.\.(\d+)$/.exec(value)
  if (range) {
    const [first, last] = [Number(range[1]), Number(range[2])]
    return { good: given([first, last]), bad: given([...(first > 0 ? [first - 1] : []), last + 1]) }
  }
  return { good: given(value.split('|')), bad: [] }
}

/** Parameters whose values may also be what is beyond the range: VALUE of MODULE is a name, RSA keys are longer here. */
const WIDER = ['module=256', 'length=2049', 'severity=8']

const words = (text: string) => text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []
const faultsOf = (command: string) => {
  const result = parseCommand(command)
  return result.kind === 'faults' ? result.faults : []
}

const base = readScript(
  `add ip interface=eth1 ipaddress=10.0.0.1
create isakmp policy=r peer=any key=1
create ppp template=2 authentication=chap`,
  { values: {}, keys: [1] },
).configuration

describe.each(Object.entries(manual))('the manual’s commands of %s', (_, text) => {
  const lines = text
    .trim()
    .split('\n')
    .map(line => line.trim())

  it.each(lines)('%s', line => {
    const refusedWhole = line.startsWith('!')
    const [head = '', parameters = ''] = line.replace(/^!/, '').split(/: /)
    if (refusedWhole) {
      const { kind, faults } = applyCommand(base, head)
      expect(kind).toBe('refused')
      expect(faults[0]?.text.length).toBeGreaterThan(20)
      return
    }
    const alone = faultsOf(head)
    // SET of nothing, and debugging without its keyword, say what they want.
    if (parameters === '') expect(alone).toEqual([])
    for (const marked of words(parameters)) {
      const [mark, parameter] = /^[~!]/.test(marked) ? [marked[0], marked.slice(1)] : ['', marked]
      const { good, bad } = samples(parameter!)
      for (const sample of good) {
        const command = `${head} ${sample}`
        if (mark === '!') {
          expect(applyCommand(base, command), command).toMatchObject({
            kind: 'refused',
            faults: [{ severity: 'error' }],
          })
          continue
        }
        const result = parseCommand(command)
        expect(result.kind === 'faults' ? result.faults : [], command).toEqual([])
        if (result.kind === 'faults') continue
        const { effect, free } = result.command.entry
        const given = result.command.parameters.at(-1)
        if (!free) expect(given?.held || effect === 'hold', `${command} is held`).toBe(mark === '~')
      }
      for (const sample of bad.filter(s => !WIDER.includes(s) && mark !== '!')) {
        expect(faultsOf(`${head} ${sample}`).length, `${head} ${sample}`).toBeGreaterThan(0)
      }
    }
  })
})
