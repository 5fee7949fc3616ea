import Orchestrator
import TapMQ
import Testing

@Suite struct HandOffTests {
  private func handOff(_ pairs: Int, vhost: Bool, mac: String? = "52:54:00:12:34:56") throws -> HandOff {
    HandOff(interface: "tap0", pairs: pairs, hasVhost: vhost, guestMAC: try mac.map { try MACAddress($0) })
  }

  @Test func qemuWords() throws {
    let two = try handOff(2, vhost: true)
    #expect(two.netdev == "tap,id=tap0,fds=3:4,vhost=on,vhostfds=5:6")
    #expect(two.device == "virtio-net-pci,netdev=tap0,mac=52:54:00:12:34:56,mq=on,vectors=6")
    let one = try handOff(1, vhost: false, mac: nil)
    #expect(one.netdev == "tap,id=tap0,fds=3,vhost=off")
    #expect(one.device == "virtio-net-pci,netdev=tap0")
    #expect(one.vhostNumbers == [])
  }

  @Test(arguments: [
    ("{netdev}", "tap,id=tap0,fds=3,vhost=on,vhostfds=4"), ("a{tap-fds}b{vhost-fds}c", "a3b4c"), ("", ""),
    ("{", "{"), ("}", "}"), ("{}", "{}"), ("{netdev", "{netdev"), ("{Netdev}", "{Netdev}"),
    ("{{mac}}", "{52:54:00:12:34:56}"),
    ("{tap-fds}{tap-fds}", "33"), ("{tap-fds }", "{tap-fds }"), ("{\"fds\":[{tap-fds}]}", "{\"fds\":[3]}"),
    ("ü{mac}é", "ü52:54:00:12:34:56é"), ("{device}", "virtio-net-pci,netdev=tap0,mac=52:54:00:12:34:56"),
  ])
  func fills(_ word: String, _ expected: String) throws {
    #expect(try handOff(1, vhost: true).fill(word) == expected)
  }

  @Test func environment() throws {
    let environment = Dictionary(
      uniqueKeysWithValues: try handOff(2, vhost: true).environment.map { ($0.name, $0.value) })
    #expect(
      environment == [
        "LISTEN_FDS": "4", "LISTEN_FDNAMES": "tap-0:tap-1:vhost-0:vhost-1", "MQCTL_INTERFACE": "tap0",
        "MQCTL_PAIRS": "2", "MQCTL_TAP_FDS": "3:4", "MQCTL_VHOST_FDS": "5:6", "MQCTL_MAC": "52:54:00:12:34:56",
      ])
    let alone = Dictionary(
      uniqueKeysWithValues: try handOff(1, vhost: false, mac: nil).environment.map { ($0.name, $0.value) })
    #expect(alone["LISTEN_FDS"] == "1" && alone["LISTEN_FDNAMES"] == "tap-0")
    #expect(alone["MQCTL_VHOST_FDS"] == "" && alone["MQCTL_MAC"] == "")
  }

  @Test(arguments: [
    ("tap0", "tap0"), ("T-a.p_0", "T-a.p_0"), ("0tap", "net0"), ("-tap", "net0"), ("tap@1", "net0"), ("täp", "net0"),
  ])
  func identifiers(_ interface: String, _ expected: String) {
    #expect(QemuWords.identifier(for: interface) == expected)
  }

  @Test func otherHypervisors() throws {
    let mac = try MACAddress("52:54:00:12:34:56")
    let four = HypervisorWords(interface: "tap0", pairs: 4, guestMAC: mac)
    let one = HypervisorWords(interface: "0tap", pairs: 1, guestMAC: nil)
    #expect(
      four.qemu == [
        "-netdev", "tap,id=tap0,ifname=tap0,script=no,downscript=no,queues=4,vhost=on",
        "-device", "virtio-net-pci,netdev=tap0,mac=52:54:00:12:34:56,mq=on,vectors=10",
      ])
    #expect(
      one.qemu == [
        "-netdev", "tap,id=net0,ifname=0tap,script=no,downscript=no,vhost=on", "-device", "virtio-net-pci,netdev=net0",
      ])
    #expect(four.cloudHypervisor == ["--net", "tap=tap0,mac=52:54:00:12:34:56,num_queues=8"])
    #expect(four.crosvm == ["--net", "tap-name=tap0,mac=52:54:00:12:34:56,vhost-net,vq-pairs=4"])
    #expect(one.crosvm == ["--net", "tap-name=0tap,vhost-net"])
    #expect(four.libvirt.contains("<driver name='vhost' queues='4'/>"))
    #expect(four.libvirt.contains("<mac address='52:54:00:12:34:56'/>"))
    #expect(one.libvirt.contains("<driver name='vhost'/>") && !one.libvirt.contains("<mac"))
  }

  /// Through a back end's socket, whose path may hold what QEMU and XML have a meaning for.
  @Test func throughASocket() throws {
    let mac = try MACAddress("52:54:00:12:34:56")
    let words = HypervisorWords(interface: "tap0", pairs: 2, guestMAC: mac, socket: "/run/a,b&'<.sock")
    #expect(
      words.qemu == [
        "-chardev", "socket,id=tap0-socket,path=/run/a,,b&'<.sock",
        "-netdev", "vhost-user,id=tap0,chardev=tap0-socket,queues=2",
        "-device", "virtio-net-pci,netdev=tap0,mac=52:54:00:12:34:56,mq=on,vectors=6",
      ])
    #expect(words.crosvm == ["--vhost-user", "type=net,socket=/run/a,b&'<.sock"])
    #expect(
      words.libvirt == """
        <interface type='vhostuser'>
          <source type='unix' path='/run/a,b&amp;&apos;&lt;.sock' mode='client'/>
          <mac address='52:54:00:12:34:56'/>
          <model type='virtio'/>
          <driver queues='2'/>
        </interface>
        """)
    let one = HypervisorWords(interface: "tap0", pairs: 1, guestMAC: nil, socket: "/run/s")
    #expect(one.cloudHypervisor == ["--net", "vhost_user=true,socket=/run/s,num_queues=2"])
    #expect(!one.libvirt.contains("driver"))
  }
}
