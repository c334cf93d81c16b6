import Base
import Glibc
import Symbolize
import TestSupport
import Testing

@Suite struct ImageLocatorTests {
  private func locator(
    _ files: [String: FakeFiles.File], directories: [String] = [], sysroot: String? = nil, copy: String? = nil
  ) throws -> ImageLocator {
    let image = try copy.map { try FixtureBinary.image($0) }
    return ImageLocator(
      debugDirectories: directories, sysroot: sysroot, access: FakeFiles(files: files), recordedCopy: { _ in image })
  }
  private func file(_ name: String) throws -> FakeFiles.File { .init(bytes: try FixtureBinary.bytes(name)) }

  private static let pieID = "4983e83b4c2604a7f4eb5add3d487bb03496ac29"
  private static let piePath = ".build-id/49/83e83b4c2604a7f4eb5add3d487bb03496ac29.debug"

  @Test(arguments: [
    "/dbg/opt/bin/linked.debug", "/dbg/linked.debug", "/opt/bin/linked.debug", "/opt/bin/.debug/linked.debug",
    "/usr/lib/debug/opt/bin/linked.debug",
  ])
  func `a debug link is followed in every place gdb looks`(path: String) throws {
    let locator = try locator([path: file("linked.debug")], directories: ["/dbg/"], copy: "linked")
    let found = locator.locate(ImageIdentity(path: "/opt/bin/linked"))
    #expect(found.debugFile != nil)
    #expect(found.steps.last == LocatorStep(place: found.steps.last?.place ?? .recordedCopy, path: path, outcome: .used))
  }

  @Test func `the places are tried in order, each with its result`() throws {
    let locator = try locator([:], directories: ["/dbg"], sysroot: "/root", copy: "linked")
    let found = locator.locate(ImageIdentity(path: "/opt/linked"))
    #expect(found.debugFile == nil)
    #expect(
      found.steps.map(\.path) == [
        "/opt/linked",
        "/dbg/opt/linked.debug", "/dbg/opt/linked.debug", "/dbg/linked.debug",
        "/root/opt/linked.debug", "/root/opt/.debug/linked.debug", "/root/usr/lib/debug/opt/linked.debug",
        "/opt/linked.debug", "/opt/.debug/linked.debug", "/usr/lib/debug/opt/linked.debug",
      ])
    #expect(found.steps.dropFirst().allSatisfy { $0.outcome == .notFound })
  }

  @Test func `a debug file with another CRC than the link's is never used`() throws {
    var damaged = try file("linked.debug")
    damaged.bytes[damaged.bytes.count - 1] ^= 1
    let locator = try locator(["/opt/linked.debug": damaged], copy: "linked")
    let found = locator.locate(ImageIdentity(path: "/opt/linked"))
    #expect(found.debugFile == nil)
    let outcome = found.steps.first { $0.path == "/opt/linked.debug" }?.outcome
    guard case .mismatch(.crc) = outcome else {
      Issue.record("\(String(describing: outcome))")
      return
    }
    let answer = Symbolizer(locator: locator).symbolize(ImageIdentity(path: "/opt/linked"), [ImageAddress(0x40_0656)])
    #expect(answer.symbolizations == [.unknown(.debugFileMismatch)])
  }

  @Test(arguments: ["/dbg/", "/usr/lib/debug/", "/root/usr/lib/debug/"])
  func `a build ID leads to its debug file`(root: String) throws {
    let path = root + Self.piePath
    let locator = try locator([path: file("pie")], directories: ["/dbg"], sysroot: "/root", copy: "pie")
    let found = locator.locate(ImageIdentity(path: "/opt/pie"))
    #expect(found.steps.last?.path == path)
    #expect(found.steps.last?.outcome == .used)
    let byteCount = try FixtureBinary.bytes("pie").count
    #expect(found.debugFile?.byteCount == byteCount)
  }

  @Test func `a file under the right name with another build ID is never used`() throws {
    let locator = try locator(["/dbg/" + Self.piePath: file("edges")], directories: ["/dbg"], copy: "pie")
    let found = locator.locate(ImageIdentity(path: "/opt/pie"))
    #expect(found.debugFile == nil)
    guard case .mismatch(.buildID(let wanted, _)) = found.steps.first(where: { $0.path == "/dbg/" + Self.piePath })?.outcome else {
      Issue.record("\(found.steps)")
      return
    }
    #expect(wanted.hex == Self.pieID)
  }

  @Test func `a file named after the image is used when its build ID proves it, and only then`() throws {
    let proven = try locator(["/dbg/opt/pie.debug": file("pie")], directories: ["/dbg"], copy: "pie")
    #expect(proven.locate(ImageIdentity(path: "/opt/pie")).debugFile != nil)
    let unproven = try locator(["/dbg/opt/pie.debug": file("linked.debug")], directories: ["/dbg"], copy: "pie")
    #expect(unproven.locate(ImageIdentity(path: "/opt/pie")).debugFile == nil)
  }

  @Test func `the file at its path is used when its build ID is the recorded one`() throws {
    let locator = try locator(["/opt/pie": file("pie")])
    let same = ImageIdentity(path: "/opt/pie", buildID: BuildID(hex: Self.pieID))
    #expect(locator.locate(same).image != nil)
    let other = ImageIdentity(path: "/opt/pie", buildID: BuildID(hex: "00112233"))
    #expect(locator.locate(other).image == nil)
    let answer = Symbolizer(locator: locator).symbolize(other, [ImageAddress(0x809)])
    #expect(answer.symbolizations == [.unknown(.imageChanged)])
  }

  @Test func `without a build ID size and time of change must be the recorded ones`() throws {
    let bytes = try FixtureBinary.bytes("linked")
    let locator = try locator(["/opt/linked": .init(bytes: bytes, modified: 77)])
    let count = UInt64(bytes.count)
    #expect(locator.locate(ImageIdentity(path: "/opt/linked", byteCount: count, modified: 77)).image != nil)
    #expect(locator.locate(ImageIdentity(path: "/opt/linked", byteCount: count, modified: 78)).image == nil)
    #expect(locator.locate(ImageIdentity(path: "/opt/linked", byteCount: count + 1, modified: 77)).image == nil)
    #expect(locator.locate(ImageIdentity(path: "/opt/linked")).image == nil)
  }

  @Test func `the sysroot's file comes before this machine's`() throws {
    let locator = try locator(["/root/opt/pie": file("pie"), "/opt/pie": file("edges")], sysroot: "/root/")
    let found = locator.locate(ImageIdentity(path: "/opt/pie", buildID: BuildID(hex: Self.pieID)))
    #expect(found.image != nil)
    #expect(found.steps.contains(LocatorStep(place: .originalFile, path: "/root/opt/pie", outcome: .used)))
  }

  @Test func `the recorded copy comes before the file`() throws {
    let locator = try locator(["/opt/pie": file("edges")], copy: "pie")
    let found = locator.locate(ImageIdentity(path: "/opt/pie"))
    #expect(found.steps.first == LocatorStep(place: .recordedCopy, path: "/opt/pie", outcome: .used))
    #expect(!found.steps.contains { $0.place == .originalFile })
  }

  @Test func `a link that leads out of its directory is not followed`() throws {
    var bytes = try FixtureBinary.bytes("linked")
    let name = Array("linked.debug".utf8)
    let at = try #require(bytes.indices.first { bytes[$0...].starts(with: name) })
    bytes.replaceSubrange(at..<(at + name.count), with: Array("../etc/sh.db".utf8))
    let image = try ImageBytes(bytes)
    let locator = ImageLocator(
      access: FakeFiles(files: ["/opt/../etc/sh.db": try file("linked.debug")]), recordedCopy: { _ in image })
    let found = locator.locate(ImageIdentity(path: "/opt/linked"))
    #expect(found.debugFile == nil)
    #expect(found.steps.contains { $0.outcome == .mismatch(.unsafeName) })
  }

  @Test func `a file that cannot be read is told with the reason, and the search goes on`() throws {
    var hidden = try file("linked.debug")
    hidden.isReadable = false
    let locator = try locator(
      ["/opt/linked.debug": hidden, "/opt/.debug/linked.debug": file("linked.debug")], copy: "linked")
    let found = locator.locate(ImageIdentity(path: "/opt/linked"))
    #expect(found.debugFile != nil)
    #expect(found.steps.first { $0.path == "/opt/linked.debug" }?.description.contains("Permission denied") == true)
  }

  @Test func `a directory that cannot be searched is named before the search`() throws {
    try locator(["/dbg/a": file("pie")], directories: ["/dbg"]).checkDirectories()
    let mistyped = try locator(["/dbg/a": file("pie")], directories: ["/dbg", "/dgb"])
    let error = #expect(throws: SymbolizeError.self) { try mistyped.checkDirectories() }
    #expect(error?.description.contains("/dgb") == true)
    let real = ImageLocator(debugDirectories: [FixtureBinary.path("src")], sysroot: FixtureBinary.path("pie"))
    #expect(throws: SymbolizeError.self) { try real.checkDirectories() }
  }

  @Test func `files of this machine are mapped and have a size and a time`() throws {
    let access = MappedFileAccess()
    let path = FixtureBinary.path("pie")
    let status = try #require(access.status(of: path))
    let bytes = try FixtureBinary.bytes("pie")
    #expect(status.byteCount == UInt64(bytes.count))
    #expect(status.modified > 0)
    let opened = try access.open(path)
    let copied = opened.bytes.copied()
    #expect(copied == bytes)
    #expect(access.status(of: path + ".none") == nil)
    #expect(access.status(of: "/dev/null") == nil)
    #expect(throws: SystemCallError.self) { _ = try access.open(path + ".none") }
  }

  @Test(arguments: [
    "/dbg/" + piePath, "/dbg/boot/vmlinux-6.1.0", "/root/usr/lib/debug/" + piePath, "/usr/lib/debug/boot/vmlinux-6.1.0",
    "/boot/vmlinux-6.1.0", "/usr/lib/debug/lib/modules/6.1.0/vmlinux", "/lib/modules/6.1.0/build/vmlinux",
  ])
  func `a kernel's debug file is found where distributions put it, and used when its build ID is the kernel's`(path: String) throws {
    let locator = try locator([path: file("pie")], directories: ["/dbg"], sysroot: "/root")
    let found = locator.locateKernel("vmlinux", buildID: BuildID(hex: Self.pieID), release: "6.1.0")
    #expect(found.debugFile != nil)
    #expect(found.steps.last?.path == path)
    #expect(locator.locateKernel("vmlinux", buildID: BuildID(hex: "00ff"), release: "6.1.0").debugFile == nil)
    #expect(locator.locateKernel("vmlinux", buildID: nil, release: "6.1.0").debugFile == nil)
    #expect(locator.locateKernel("../vmlinux", buildID: nil, release: "..").steps.allSatisfy { !$0.path.contains("..") })
  }

  @Test func `a recorded process's root comes after the sysroot and before this machine's`() throws {
    let image = try FixtureBinary.image("linked")
    let locator = ImageLocator(
      sysroot: "/root", access: FakeFiles(files: ["/proc/7/root/opt/linked.debug": try file("linked.debug")]),
      recordedCopy: { _ in image }, processRoots: { _ in ["/proc/7/root"] })
    let found = locator.locate(ImageIdentity(path: "/opt/linked"))
    #expect(found.debugFile != nil)
    #expect(
      found.steps.map(\.path) == [
        "/opt/linked", "/root/opt/linked.debug", "/root/opt/.debug/linked.debug", "/root/usr/lib/debug/opt/linked.debug",
        "/proc/7/root/opt/linked.debug",
      ])
  }

  @Test func `what nothing here has is asked of others, and only then`() throws {
    struct Others: RemoteDebugFiles {
      let file: ImageBytes
      func find(_ kind: RemoteFileKind, of buildID: BuildID) -> RemoteDebugFile {
        let step = LocatorStep(place: .debuginfodServer, path: kind.rawValue, outcome: kind == .executable ? .used : .notFound)
        return RemoteDebugFile(file: kind == .executable ? file : nil, steps: [step])
      }
    }
    let image = try FixtureBinary.image("pie")
    let others = Others(file: image)
    let without = ImageLocator(access: FakeFiles(), remote: others)
    let identity = ImageIdentity(path: "/opt/pie", buildID: BuildID(hex: Self.pieID))
    #expect(without.locate(identity).image != nil)
    #expect(without.locate(identity).steps.suffix(2).map(\.path) == ["debuginfo", "executable"])
    let with = ImageLocator(access: FakeFiles(files: ["/usr/lib/debug/" + Self.piePath: try file("pie")]), remote: others)
    #expect(!with.locate(identity).steps.contains { $0.place == .debuginfodServer })
    let offered = ImageLocator(access: FakeFiles(), recordedCopy: { _ in image }, remote: others)
    #expect(offered.locate(identity).steps.last?.path == "debuginfo")
  }

  @Test func `links of another root lead nowhere else`() throws {
    let scratch = try ScratchDirectory()
    mkdir(scratch.path + "/root", 0o700)
    mkdir(scratch.path + "/root/lib", 0o700)
    try scratch.write([1, 2, 3], to: "secret")
    try scratch.write([4, 5], to: "root/lib/real")
    symlink(scratch.path + "/secret", scratch.path + "/root/absolute")
    symlink("../../../../../../" + scratch.path + "/secret", scratch.path + "/root/relative")
    symlink("/lib/real", scratch.path + "/root/inside")
    let files = MappedFileAccess()
    let root = scratch.path + "/root"
    #expect(files.status(of: "/absolute", below: root) == nil)
    #expect(files.status(of: "/relative", below: root) == nil)
    #expect(files.status(of: "/inside", below: root)?.byteCount == 2)
    let byteCount = try files.open("/inside", below: root).byteCount
    #expect(byteCount == 2)
    #expect(throws: SystemCallError.self) { _ = try files.open("/absolute", below: root) }
  }
}
