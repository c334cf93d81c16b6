import Base
import Glibc
import JFR
import JavaProfiles
import ObjectFile
import Profile
import Replayer
import Symbolize
import TraceFormat
import Unwind

/// Everything that reads bytes of strangers. A target must return, and soon, whatever the bytes are.
enum Targets {
  typealias Target = (name: String, run: @Sendable ([UInt8]) -> Void)

  static let all: [Target] =
    [
      ("elf", elf), ("symbols", symbols), ("gopclntab", gopclntab), ("perfmap", perfMap), ("jitdump", jitDump),
      ("unwind", unwind), ("demangle", demangle), ("records", records), ("segment", segment), ("jfr", jfr),
      ("python", PythonMemory.walk),
      ("keptlines", KeptLines.kept), ("streamed", KeptLines.streamed),
    ] + DwarfTargets.all

  /// Headers, notes, links, compressed sections, and what the recorder would copy.
  @Sendable private static func elf(_ bytes: [UInt8]) {
    let plan = ElfCopyPlan(byteCount: UInt64(bytes.count), mode: .symbols) { (offset, count) throws(Never) in
      let from = min(Int(clamping: offset.rawValue), bytes.count)
      return Array(bytes[from..<min(from + count, bytes.count)])
    }
    precondition(plan.extents.allSatisfy { $0.byteCount > 0 })
    guard let file = try? ElfFile(bytes.borrowedBytes) else { return }
    _ = file.buildID
    _ = try? file.debugLink()
    _ = try? file.debugAltLink()
    _ = PLTStubs.stubs(of: file)
    // Names are looked up one by one: a file of a million sections has no more of them for that.
    for index in file.sections.indices.prefix(256) {
      _ = file.sectionName(index).byteCount
      _ = try? file.contents(of: file.sections[index]).byteCount
      if file.sections[index].isCompressed { _ = try? file.inflatedContents(of: file.sections[index]) }
    }
  }

  /// A whole image, as `symbolize` reads it.
  @Sendable private static func symbols(_ bytes: [UInt8]) {
    guard let image = try? ImageBytes(bytes) else { return }
    let locator = ImageLocator(access: NoFiles(), recordedCopy: { _ in image })
    var addresses: [ImageAddress] = []
    for base: UInt64 in [0, 0x300, 0x1000, 0x40_0000, 0x40_1000, 0x200_0000] {
      for step: UInt64 in 0..<64 { addresses.append(ImageAddress(base + step * 13)) }
    }
    let answer = Symbolizer(locator: locator).symbolize(ImageIdentity(path: "/fuzz"), addresses)
    precondition(answer.symbolizations.count == addresses.count)
  }

  /// Go's table alone, in the smallest file there is around it; the first byte says of which version.
  @Sendable private static func gopclntab(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    var table = Array(bytes.dropFirst())
    let magics: [UInt32] = [0xffff_fffb, 0xffff_fffa, 0xffff_fff0, 0xffff_fff1]
    let magic = magics[Int(first & 3)]
    while table.count < 80 { table.append(0) }
    for index in 0..<4 { table[index] = UInt8(truncatingIfNeeded: magic >> UInt32(8 * index)) }
    (table[4], table[5], table[7]) = (0, 0, 8)
    if ![1, 2, 4].contains(table[6]) { table[6] = 1 }
    guard let image = try? ImageBytes(SmallFile.around(table)), var go = GoFrames(image) else { return }
    // Code begins at 0 in the file's addresses: whatever the table says is near.
    for address in stride(from: UInt64(0), to: 4096, by: 7) { _ = go.frames(at: ImageAddress(address)) }
    for address in stride(from: SmallFile.address, to: SmallFile.address + 4096, by: 31) {
      _ = go.frames(at: ImageAddress(address))
    }
    _ = try? UnwindTableBuilder.build(image.bytes)
  }

  @Sendable private static func perfMap(_ bytes: [UInt8]) {
    var whole = PerfMapReader()
    let symbols = whole.read(bytes.borrowedBytes)
    var pieces = PerfMapReader()
    let half = bytes.count / 2
    let again = pieces.read(Array(bytes[..<half]).borrowedBytes) + pieces.read(Array(bytes[half...]).borrowedBytes)
    precondition(symbols == again, "the same bytes in pieces are the same functions")
    _ = JITSymbolTable(symbols).names(at: Array(symbols.map(\.address).sorted().prefix(64)))
  }

  @Sendable private static func jitDump(_ bytes: [UInt8]) {
    var reader = JITDumpReader()
    let symbols = reader.read(byteCount: UInt64(bytes.count)) { offset, count in
      let from = min(Int(clamping: offset), bytes.count)
      return Array(bytes[from..<min(from + count, bytes.count)])
    }
    _ = JITSymbolTable(symbols).names(at: Array(symbols.map(\.address).sorted().prefix(64)))
  }

  /// `.eh_frame`, `.debug_frame`, stubs and the rest of what a file says about its frames.
  @Sendable private static func unwind(_ bytes: [UInt8]) { _ = try? UnwindTableBuilder.build(bytes.borrowedBytes) }

  @Sendable private static func demangle(_ bytes: [UInt8]) {
    let name = String(decoding: bytes, as: UTF8.self)
    for mode in DemangleMode.allCases { _ = Demangler.demangle(name, mode) }
  }

  /// One record of any kind, and a trace of nothing else.
  @Sendable private static func records(_ bytes: [UInt8]) {
    var contents = TraceContents()
    var cursor = ByteCursor(bytes.borrowedBytes)
    while let kind = try? cursor.read("kind", as: UInt8.self), let count = try? cursor.read("length", as: UInt16.self) {
      guard let payload = try? cursor.take(min(Int(count), cursor.remaining), "payload") else { return }
      var body = ByteCursor(payload)
      if let record = try? TraceRecord(kind: RecordKind(UInt64(kind)), from: &body) { contents.add(record) }
    }
  }

  /// A recording of a JVM, with every label, and its profiles.
  @Sendable private static func jfr(_ bytes: [UInt8]) {
    var options = JavaOptions()
    options.threads = .pool
    options.states = true
    var recording = JavaRecording(options)
    do throws(ChunkProblem) { try recording.read(bytes.borrowedBytes) } catch { return }
    for profile in recording.profiles() { precondition(profile.profile.samples.count > 0) }
  }

  /// A whole segment file.
  @Sendable private static func segment(_ bytes: [UInt8]) {
    let path = "/dev/shm/pyrorec-fuzz-\(getpid())"
    guard let file = try? OwnedDescriptor(open: path, O_RDWR | O_CREAT | O_TRUNC) else { return }
    defer { unlink(path) }
    try? file.write(bytes.borrowedBytes, path: path)
    for ignoresIndex in [false, true] {
      guard let reader = try? SegmentReader(path: path, ignoringIndex: ignoresIndex) else { continue }
      var contents = TraceContents()
      for frame in reader.frames {
        guard let decoded = try? reader.decode(frame) else { continue }
        for record in decoded.records { contents.add(record) }
      }
    }
  }
}

/// No file is there.
private struct NoFiles: DebugFileAccess {
  func status(of path: String) -> DebugFileStatus? { nil }
  func open(_ path: String) throws(SystemCallError) -> ImageBytes { throw SystemCallError(call: "open", path: path, code: ENOENT) }
}

/// An ELF file of one segment of data, without sections.
private enum SmallFile {
  static let address: UInt64 = 0x40_0000
  private static let dataOffset = 128

  static func around(_ data: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.append([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    writer.write(UInt16(2))
    writer.write(UInt16(62))  // x86-64
    writer.write(UInt32(1))
    writer.write(UInt64(0))
    writer.write(UInt64(64))  // e_phoff
    writer.write(UInt64(0))
    writer.write(UInt32(0))
    for value: UInt16 in [64, 56, 1, 64, 0, 0] { writer.write(value) }
    writer.write(UInt32(1))  // PT_LOAD, readable
    writer.write(UInt32(4))
    for value in [UInt64(dataOffset), address, address, UInt64(data.count), UInt64(data.count), 32] { writer.write(value) }
    writer.append([UInt8](repeating: 0, count: dataOffset - 120))
    writer.append(data)
    return writer.bytes
  }
}
