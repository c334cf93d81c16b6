import Base
import Glibc
import ObjectFile
import Unwind

/// What building a table needs of a file, in memory at its own offsets, the rest as zeros.
///
/// Read instead of mapped: the file is somebody else's, who may shorten it at any time, and then a page of a mapping
/// raises `SIGBUS`.
enum TableFile {
  /// Bytes of one file that are looked at.
  static let maximumByteCount: UInt64 = 8 << 30
  /// String tables and notes are read up to this size.
  private static let smallSection: UInt64 = 1 << 20
  private static let head = 64 * 1024

  /// What tells the file from others: its headers, and where it has a build ID all that its table is kept under.
  static func readHeaders(_ file: borrowing OwnedDescriptor, path: String) throws(SystemCallError) -> ZeroedMemory {
    let status = try file.status(path: path)
    let size = UInt64(max(status.st_size, 0))
    guard status.st_mode & S_IFMT == S_IFREG, size <= maximumByteCount else {
      throw SystemCallError(call: "read", path: path, code: EFBIG)
    }
    var memory = try ZeroedMemory(byteCount: Int(size))
    try copy(file, path, offset: 0, count: UInt64(head), size: size, into: &memory)
    if let header = sectionTable(memory.bytes) {
      try copy(file, path, offset: header.offset, count: header.count, size: size, into: &memory)
    }
    for (offset, count) in headerExtents(in: memory.bytes) {
      try copy(file, path, offset: offset, count: count, size: size, into: &memory)
    }
    return memory
  }

  /// The rest of what the table is built from, into what `readHeaders` gave.
  static func readRest(_ file: borrowing OwnedDescriptor, path: String, into memory: inout ZeroedMemory) throws(SystemCallError) {
    let size = UInt64(memory.bytes.byteCount)
    for (offset, count) in tableExtents(in: memory.bytes, for: .tableWithoutNamedCode) {
      try copy(file, path, offset: offset, count: count, size: size, into: &memory)
    }
    for (offset, count) in namedCode(in: memory.bytes) {
      try copy(file, path, offset: offset, count: count, size: size, into: &memory)
    }
  }

  private static func namedCode(in bytes: RawSpan) -> [(offset: UInt64, count: UInt64)] {
    guard let elf = try? ElfFile(bytes), UnwindInput.extents(of: elf, for: .tableWithoutNamedCode) != UnwindInput.extents(of: elf)
    else { return [] }
    return UnwindInput.code(of: elf, file: bytes, limit: .max).map { ($0.fileOffset.rawValue, $0.byteCount) }
  }

  /// The code that the file's rules are made from, for a copy of it to keep; none where it cannot be read.
  static func code(of file: borrowing OwnedDescriptor, path: String) -> [UnwindInput.Extent] {
    guard var memory = try? readHeaders(file, path: path), readsCode(memory.bytes) else { return [] }
    for (offset, count) in tableExtents(in: memory.bytes, for: .code) {
      let size = UInt64(memory.bytes.byteCount)
      guard (try? copy(file, path, offset: offset, count: count, size: size, into: &memory)) != nil else { return [] }
    }
    guard let elf = try? ElfFile(memory.bytes) else { return [] }
    return UnwindInput.code(of: elf, file: memory.bytes)
  }

  private static func readsCode(_ bytes: RawSpan) -> Bool {
    guard let elf = try? ElfFile(bytes) else { return false }
    return UnwindInput.readsCode(of: elf)
  }

  /// Bytes that `readRest` brings.
  static func restByteCount(_ headers: RawSpan) -> UInt64 {
    tableExtents(in: headers).reduce(0) { $0 &+ min($1.count, UInt64(headers.byteCount)) }
  }

  private static func headerExtents(in bytes: RawSpan) -> [(offset: UInt64, count: UInt64)] {
    guard let elf = try? ElfFile(bytes) else { return [] }
    // The names of sections, by which the rest is chosen. Which string table holds them is not told apart: they are small.
    return elf.sections.filter { $0.kind == .stringTable && $0.byteCount <= smallSection }.map { ($0.fileOffset.rawValue, $0.byteCount) }
      // The build ID, which a kept table is found by.
      + elf.sections.filter { $0.kind == .note && $0.byteCount <= smallSection }.map { ($0.fileOffset.rawValue, $0.byteCount) }
      + elf.segments.filter { $0.kind == .note && $0.fileByteCount <= smallSection }.map { ($0.fileOffset.rawValue, $0.fileByteCount) }
      + elf.segments.filter { $0.kind == .ehFrameHeader }.map { ($0.fileOffset.rawValue, $0.fileByteCount) }
  }

  private static func tableExtents(in bytes: RawSpan, for purpose: UnwindInput.Purpose = .table) -> [(offset: UInt64, count: UInt64)] {
    guard let elf = try? ElfFile(bytes) else { return [] }
    return UnwindInput.extents(of: elf, for: purpose).map { ($0.fileOffset.rawValue, $0.byteCount) }
  }

  /// Where the section headers lie (System V gABI, chapter 4).
  private static func sectionTable(_ bytes: RawSpan) -> (offset: UInt64, count: UInt64)? {
    guard bytes.byteCount >= 64 else { return nil }
    var cursor = ByteCursor(bytes.extracting(0..<64))
    guard (try? cursor.take(40, "e_ident … e_phoff")) != nil, let offset = try? cursor.read("e_shoff", as: UInt64.self),
      (try? cursor.take(10, "e_flags … e_phnum")) != nil, let entry = try? cursor.read("e_shentsize", as: UInt16.self),
      let count = try? cursor.read("e_shnum", as: UInt16.self)
    else { return nil }
    return offset == 0 ? nil : (offset, UInt64(entry) * UInt64(count))
  }

  private static func copy(
    _ file: borrowing OwnedDescriptor, _ path: String, offset: UInt64, count: UInt64, size: UInt64,
    into memory: inout ZeroedMemory
  ) throws(SystemCallError) {
    guard offset < size else { return }
    var at = offset
    let end = offset + min(count, size - offset)
    while at < end {
      let bytes = try file.read(at: at, count: Int(min(end - at, 4 << 20)), path: path)
      guard !bytes.isEmpty else { return }
      memory.write(bytes.borrowedBytes, at: at)
      at += UInt64(bytes.count)
    }
  }
}
