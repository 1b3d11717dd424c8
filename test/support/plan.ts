/** The plan of the office that the tests play in: its addresses, its accounts, and its router's script. */

export const gatewayPublic = '203.0.113.1'
export const gatewayLan = '192.168.8.1'
export const lanHost = '192.168.8.10'
export const natPublic = '203.0.113.101'
export const natInside = '10.1.0.1'

/** Where each client is: behind the NAT, or on the public segment itself. */
export const places = {
  c1: { address: '10.1.0.11', segment: 'nat' },
  c2: { address: '10.1.0.12', segment: 'nat' },
  c3: { address: '203.0.113.50', segment: 'pub' },
} as const
export type Place = keyof typeof places

export const preSharedKey = 'office secret 1'
export const accounts = {
  /** Has an address of its own. */
  dialin1: { user: 'dialin1', password: 'friend1', address: '192.168.8.50' },
  /** Take one from the pool. */
  dialin2: { user: 'dialin2', password: 'friend2' },
  dialin3: { user: 'dialin3', password: 'friend3' },
} as const
export const officePool = { first: '192.168.8.100', last: '192.168.8.199' }

/** What the router in front of c1 and c2 does. */
export const natRules = `table ip nat {
  chain leaving { type nat hook postrouting priority 100; oifname "out0" masquerade; }
}
table ip filter {
  chain through { type filter hook forward priority 0; policy drop;
    iifname "br0" accept
    ct state established,related accept
  }
}
`

/** The router's script of the office. `pool` is a range such as 192.168.8.100-192.168.8.199. */
export function officeScript(pool = `${officePool.first}-${officePool.last}`): string {
  const permit = (rule: number, port: number, more = '') =>
    `add firewall policy=main rule=${rule} int=eth0 action=allow protocol=udp ip=${gatewayPublic} port=${port} gblip=${gatewayPublic} gblport=${port}${more}`
  return `
set system name="Office"
create enco key=1 type=general value="${preSharedKey}"
add user=dialin1 password=friend1 login=no ip=${accounts.dialin1.address}
add user=dialin2 password=friend2 login=no
add user=dialin3 password=friend3 login=no
create ppp template=1 bap=off ippool="myippool" authentication=chap echo=30 lqr=off
set ppp dnsprimary=${lanHost}
enable l2tp
enable l2tp server=both
add l2tp ip=1.1.1.1-255.255.255.254 pptemplate=1
enable ip
add ip int=vlan1 ip=${gatewayLan} mask=255.255.255.0
add ip int=eth0 ip=${gatewayPublic} mask=255.255.255.0
create ip pool="myippool" ip=${pool}
enable firewall
create firewall policy=main
create firewall policy=main dynamic=callers
add firewall policy=main dynamic=callers user=any
add firewall policy=main int=vlan1 type=private
add firewall policy=main int=dyn-callers type=private
add firewall policy=main int=eth0 type=public
add firewall policy=main nat=enhanced int=vlan1 gblinterface=eth0
add firewall policy=main nat=enhanced int=dyn-callers gblinterface=eth0
${permit(1, 500)}
${permit(2, 4500)}
${permit(3, 1701, ' encap=ipsec')}
create ipsec saspecification=1 key=isakmp protocol=esp encalg=aes256 hashalg=sha mode=transport
create ipsec saspecification=2 key=isakmp protocol=esp encalg=aes128 hashalg=sha mode=transport
create ipsec saspecification=3 key=isakmp protocol=esp encalg=3desouter hashalg=sha mode=transport
create ipsec saspecification=4 key=isakmp protocol=esp encalg=3desouter hashalg=md5 mode=transport
create ipsec saspecification=5 key=isakmp protocol=esp encalg=aesgcm128 mode=transport
create ipsec bundle=1 key=isakmp string="1 or 2 or 3 or 4 or 5"
create ipsec policy="isakmp" int=eth0 action=permit lport=500
create ipsec policy="isakmp_float" int=eth0 action=permit lport=4500
create ipsec policy="all_roaming" int=eth0 action=ipsec key=isakmp bundlespecification=1 isakmppolicy="roaming1" peer=any
set ipsec policy="all_roaming" transport=udp lport=1701
create ipsec policy="internet" int=eth0 action=permit
enable ipsec
create isakmp policy="roaming1" peer=any key=1
set isakmp policy="roaming1" senddeletes=true localid=local nattraversal=on
enable isakmp
`
}
