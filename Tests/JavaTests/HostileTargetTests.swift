import Base
import Glibc
import Java
import TestSupport
import Testing

/// A process in a root directory of its own, as another user, which may put there whatever it likes.
private final class Jail {
  static let user: UInt32 = 65534
  let root: ScratchDirectory
  let outside: ScratchDirectory
  let process: UInt32
  private let running: RunningCommand

  init() throws {
    let root = try ScratchDirectory(mode: 0o755)
    let outside = try ScratchDirectory(mode: 0o755)
    for name in ["tmp", "tmp/repository"] { mkdir("\(root.path)/\(name)", 0o777) }
    try outside.write(Self.chunk(2), to: "secret.jfr")
    chown("\(outside.path)/secret.jfr", Self.user, Self.user)
    let running = try RunningCommand([
      "python3", "-c", "import os, time; os.chroot('\(root.path)'); os.setuid(\(Self.user)); time.sleep(120)",
    ])
    process = UInt32(running.pid)
    for _ in 0..<100 {
      usleep(50_000)
      var buffer = [CChar](repeating: 0, count: 4096)
      if readlink("/proc/\(process)/root", &buffer, 4095) > 1 { break }
    }
    self.root = root
    self.outside = outside
    self.running = running
  }

  var files: TargetFiles { TargetFiles(process: process, user: Self.user) }
  func path(_ name: String) -> String { "\(root.path)/\(name)" }
  /// As a link in there would name it.
  var secret: String { "\(outside.path)/secret.jfr" }

  func put(_ bytes: [UInt8], _ name: String, user: UInt32 = Jail.user) throws {
    try root.write(bytes, to: name)
    chown(path(name), user, user)
  }

  /// A finished chunk without anything in it (the header's 68 bytes), begun at `start`.
  static func chunk(_ start: UInt64) -> [UInt8] {
    var bytes = Array("FLR\0".utf8) + [0, 2, 0, 1]
    func number(_ value: UInt64) {
      for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }
    for value: UInt64 in [68, 68, 68, start, 1, 1, 1_000_000_000] { number(value) }
    return bytes + [0, 0, 0, 1]
  }
}

@Suite(.enabled(if: KernelAccess.isRoot, "another root directory takes root"))
struct `files of a process that is not trusted` {
  @Test func `are read below its own root only, whatever links it makes`() throws {
    let jail = try Jail()
    try jail.put(Jail.chunk(1), "tmp/repository/own.jfr")
    symlink(jail.secret, jail.path("tmp/repository/absolute.jfr"))
    symlink("../../../../../../..\(jail.secret)", jail.path("tmp/repository/upwards.jfr"))
    symlink(jail.outside.path, jail.path("tmp/elsewhere"))
    mkdir(jail.path("tmp/repository/directory.jfr"), 0o755)
    mkfifo(jail.path("tmp/repository/pipe.jfr"), 0o666)
    try jail.put(Jail.chunk(3), "tmp/repository/others.jfr", user: 4242)
    var chunks = ChunkRepository(jail.files, path: "/tmp/repository")
    chunks.look()
    #expect(chunks.finished() == [Jail.chunk(1)], "its own file, and nothing else")
    var elsewhere = ChunkRepository(jail.files, path: "/tmp/elsewhere")
    elsewhere.look()
    #expect(elsewhere.finished().isEmpty)
  }

  @Test func `stay below its root while it swaps directories for links`() throws {
    let jail = try Jail()
    try jail.put(Jail.chunk(1), "tmp/repository/secret.jfr")
    symlink(jail.outside.path, jail.path("tmp/link"))
    // Exchanges the two names at once, again and again (RENAME_EXCHANGE, linux/fs.h).
    let swaps = """
      import ctypes
      swap = ctypes.CDLL(None).renameat2
      while True: swap(-100, b"\(jail.path("tmp/repository"))", -100, b"\(jail.path("tmp/link"))", 2)
      """
    let swapper = try RunningCommand(["python3", "-c", swaps])
    var finds = 0
    for _ in 0..<3000 {
      var chunks = ChunkRepository(jail.files, path: "/tmp/repository")
      chunks.look()
      let found = chunks.finished()
      finds += found.count
      #expect(found.isEmpty || found == [Jail.chunk(1)])
    }
    #expect(finds > 0)
    swapper.end()
  }

  @Test func `are not made through its links`() throws {
    let jail = try Jail()
    symlink("\(jail.outside.path)/made", jail.path("tmp/trigger"))
    #expect(throws: SystemCallError.self) {
      let folder = try jail.files.directory("/tmp")
      _ = try folder.create("trigger", mode: 0o600, user: Jail.user, group: Jail.user)
    }
    #expect(access("\(jail.outside.path)/made", F_OK) != 0)
  }
}
