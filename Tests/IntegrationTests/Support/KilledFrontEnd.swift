/// A front end in a process of its own that is killed (SIGKILL), over and over.
enum KilledFrontEnd {
  /// Python, with SOCKET PAIRS ROUNDS: a child connects, sets everything up and floods its rings, and writes a byte into a pipe
  /// after each step; its parent kills it as soon as it has read so many bytes, one more in each round. Prints how many
  /// were killed, and how many of them under traffic.
  static let program = """
    import array, mmap, os, signal, socket, struct, sys
    path, pairs, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    BASE, SIZE, RING = 1 << 40, 1 << 20, 64
    FLOOD = 40
    # To nobody, of an Ethertype for experiments.
    FRAME = bytes.fromhex("02000000000102000000000288b5")

    def front_end(step):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        step()
        def say(request, payload=b"", files=(), answer=False):
            reply = answer or acknowledges
            control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
            s.sendmsg([struct.pack("<III", request, 1 | (8 if acknowledges else 0), len(payload)) + payload], control)
            step()
            if reply:
                header = s.recv(12, socket.MSG_WAITALL)
                body = s.recv(struct.unpack("<III", header)[2], socket.MSG_WAITALL)
                assert answer or struct.unpack("<Q", body)[0] == 0, (request, body)
                return body
        acknowledges = False
        say(1, answer=True)
        say(3)
        offered = struct.unpack("<Q", say(15, answer=True))[0]
        say(16, struct.pack("<Q", offered))
        acknowledges = True
        say(2, struct.pack("<Q", 1 << 32 | 1 << 30))
        memory = os.memfd_create("guest")
        os.ftruncate(memory, pairs * SIZE)
        guest = mmap.mmap(memory, pairs * SIZE)
        say(5, struct.pack("<IIQQQQ", 1, 0, 0, pairs * SIZE, BASE, 0), [memory])
        kicks = []
        for ring in range(2 * pairs):
            place = ring // 2 * SIZE + ring % 2 * 0x8000
            kick, call = os.eventfd(0), os.eventfd(0, os.EFD_NONBLOCK)
            kicks.append(kick)
            say(8, struct.pack("<II", ring, RING))
            say(10, struct.pack("<II", ring, 0))
            say(9, struct.pack("<IIQQQQ", ring, 0, BASE + place, BASE + place + 0x2000, BASE + place + 0x1000, 0))
            say(13, struct.pack("<Q", ring), [call])
            say(12, struct.pack("<Q", ring), [kick])
            for entry in range(RING):
                buffer = ring // 2 * SIZE + 0x10000 + (ring % 2 * RING + entry) * 2048
                guest[buffer + 12:buffer + 26] = FRAME
                struct.pack_into("<QIHH", guest, place + 16 * entry, buffer, 72 if ring % 2 else 2048, 0 if ring % 2 else 2, 0)
                struct.pack_into("<H", guest, place + 0x1004 + 2 * entry, entry)
            struct.pack_into("<H", guest, place + 0x1002, RING)
        for ring in range(2 * pairs):
            say(18, struct.pack("<II", ring, 1))
        while True:
            for pair in range(pairs):
                place = pair * SIZE + 0x8000
                used = struct.unpack_from("<H", guest, place + 0x2002)[0]
                struct.pack_into("<H", guest, place + 0x1002, used + RING & 0xFFFF)
                os.eventfd_write(kicks[2 * pair + 1], 1)
            step()

    steps = 1 + 6 + 12 * pairs
    flooded = 0
    for turn in range(rounds):
        wanted = 1 + turn % (steps + FLOOD)
        down, up = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                front_end(lambda: os.write(up, b"."))
            finally:
                os._exit(1)
        os.close(up)
        read = 0
        while read < wanted:
            got = len(os.read(down, 1))
            if got == 0:
                sys.exit(f"round {turn}: the front end ended by itself after {read} steps")
            read += got
        os.kill(child, signal.SIGKILL)
        os.close(down)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        flooded += wanted > steps
    print(f"killed {rounds}, {flooded} of them under traffic")
    """
}
