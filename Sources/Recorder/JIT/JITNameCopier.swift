import Base
import Glibc
import ObjectFile
import TraceFormat

/// Writes the names that runtimes give to code they make: perf maps (`/tmp/perf-PID.map`) and jitdumps (`jit-PID.dump`), found
/// as the process sees them, in its own root directory and under its own process ID.
///
/// A file is opened as soon as a sample hits code without a file, and stays open: it can be read to its end when the process,
/// its container and the file's name are gone. What is in it was written by anybody and is believed in nothing but names.
final class JITNameCopier {
  /// Processes followed at a time, each with at most two files.
  static let maximumFollowed = 256
  /// Of one file, and of all: what is behind is not read.
  static let maximumFileByteCount: UInt64 = 128 << 20
  static let maximumByteCount: UInt64 = 1 << 30
  private static let pieceByteCount = 1 << 18
  private static let symbolsPerRecord = 4096

  private final class Followed {
    let process: UInt32
    let image: ImageHandle
    var map: OwnedDescriptor?
    var mapReader = PerfMapReader()
    var mapOffset: UInt64 = 0
    var dump: OwnedDescriptor?
    var dumpReader = JITDumpReader()
    /// Looks without a file so far; the next one after twice as many.
    var looks = 0
    /// The last look: what is new since then may have been there from then on. 0 for none.
    var lastLook = MonotonicInstant(nanoseconds: 0)
    init(process: UInt32, image: ImageHandle) {
      self.process = process
      self.image = image
    }
  }

  private let root: String
  private let files: any ProcessFileSystem
  private let sink: any RecordSink
  private let opener: LiveImageOpener
  private var followed: [Followed] = []
  private var read: UInt64 = 0

  /// - Parameter root: where the host's `/proc` is mounted.
  init(files: any ProcessFileSystem, sink: any RecordSink, root: String = "/proc") {
    self.files = files
    self.sink = sink
    self.root = root
    opener = LiveImageOpener(root: root)
  }

  /// Begins to look for the files of a process, a sample of which hit code in `image`.
  func follow(process: UInt32, image: ImageHandle) throws(TraceError) {
    guard followed.count < Self.maximumFollowed else { return }
    let new = Followed(process: process, image: image)
    followed.append(new)
    open(new)
    try copy(new)
  }

  /// Reads what was written since the last look.
  func look() throws(TraceError) {
    var still: [Followed] = []
    for each in followed {
      each.looks += 1
      let isAlive = (try? files.read("\(each.process)/stat", limit: 4096)) != nil
      // Most runtimes make their file before any code; those that do not are asked less and less often.
      if isAlive, each.map == nil || each.dump == nil, each.looks & (each.looks - 1) == 0 { open(each) }
      try copy(each)
      if isAlive { still.append(each) }
    }
    followed = still
  }

  // MARK: Finding the files

  private func open(_ each: Followed) {
    if each.map == nil { each.map = openMap(each.process) }
    if each.dump == nil { each.dump = openDump(each.process) }
  }

  private func openMap(_ process: UInt32) -> OwnedDescriptor? {
    let path = "/tmp/perf-\(innermostID(of: process)).map"
    let below = "\(root)/\(process)/root"
    // Looked at before it is opened: it may be a device.
    guard let peek = try? OwnedDescriptor(open: path, below: below, looksOnly: true), isOurs(peek, process),
      let file = try? OwnedDescriptor(open: path, below: below), isOurs(file, process)
    else { return nil }
    return file
  }

  /// The runtime maps a page of its jitdump, executable, so that it is found.
  private func openDump(_ process: UInt32) -> OwnedDescriptor? {
    guard let text = try? files.read("\(process)/maps", limit: 64 << 20) else { return nil }
    for map in ProcessMap.executable(in: text) {
      let name = map.path.split(separator: "/").last ?? ""
      guard name.hasPrefix("jit-"), name.hasSuffix(".dump") else { continue }
      if let descriptor = opener.open(process: process, start: map.start, end: map.end, path: map.path, inode: map.inode) {
        return OwnedDescriptor(owning: descriptor)
      }
    }
    return nil
  }

  /// A process's ID in its innermost PID namespace (proc(5), `NSpid`).
  private func innermostID(of process: UInt32) -> UInt32 {
    guard let text = try? files.read("\(process)/status", limit: 1 << 16) else { return process }
    for line in text.split(separator: 0x0a) where line.starts(with: Array("NSpid:".utf8)) {
      let words = String(decoding: line, as: UTF8.self).split { $0 == "\t" || $0 == " " }
      if let last = words.last, let number = UInt32(last) { return number }
    }
    return process
  }

  /// Everybody may write to `/tmp`: the file must be the process's user's own, or root's.
  private func isOurs(_ file: borrowing OwnedDescriptor, _ process: UInt32) -> Bool {
    guard let status = try? file.status(path: "perf map"), status.st_mode & S_IFMT == S_IFREG else { return false }
    if status.st_uid == 0 { return true }
    var owner = stat()
    return unsafe stat("\(root)/\(process)", &owner) == 0 && owner.st_uid == status.st_uid
  }

  // MARK: Copying

  private func copy(_ each: Followed) throws(TraceError) {
    let now = Self.now()
    try copyMap(each)
    try copyDump(each, now)
    each.lastLook = now
  }

  private func copyMap(_ each: Followed) throws(TraceError) {
    guard let size = Self.byteCount(of: each.map) else { return }
    if size < each.mapOffset {
      // Begun anew.
      each.mapOffset = 0
      each.mapReader = PerfMapReader()
    }
    let end = min(size, Self.maximumFileByteCount)
    while each.mapOffset < end, read < Self.maximumByteCount {
      let count = Int(min(UInt64(Self.pieceByteCount), end - each.mapOffset))
      guard let bytes = Self.read(each.map, each.mapOffset, count), !bytes.isEmpty else { return }
      each.mapOffset += UInt64(bytes.count)
      read += UInt64(bytes.count)
      try write(each.mapReader.read(bytes.borrowedBytes)[...], each.image, since: each.lastLook)
    }
  }

  private func copyDump(_ each: Followed, _ now: MonotonicInstant) throws(TraceError) {
    guard let size = Self.byteCount(of: each.dump) else { return }
    while read < Self.maximumByteCount, each.dumpReader.offset < size, !each.dumpReader.isDamaged {
      let before = each.dumpReader.offset
      let symbols = each.dumpReader.read(byteCount: size, maximumSymbols: Self.symbolsPerRecord) { offset, count in
        let bytes = Self.read(each.dump, offset, count) ?? []
        read += UInt64(min(bytes.count, 128))
        return bytes
      }
      try write(symbols, each, until: now)
      if each.dumpReader.offset == before { return }
    }
  }

  /// Those that come soon after one another share a record and its time.
  private func write(_ symbols: [JITSymbol], _ each: Followed, until now: MonotonicInstant) throws(TraceError) {
    // Anybody may write any time; what is not in the past says nothing.
    func time(_ symbol: JITSymbol) -> MonotonicInstant {
      guard let time = symbol.nanoseconds, time <= now.nanoseconds else { return each.lastLook }
      return MonotonicInstant(nanoseconds: time)
    }
    var start = 0
    while start < symbols.count {
      let first = time(symbols[start])
      var end = start + 1
      while end < symbols.count, time(symbols[end]).nanoseconds >= first.nanoseconds,
        time(symbols[end]).nanoseconds - first.nanoseconds < Self.timePerRecord
      {
        end += 1
      }
      try write(symbols[start..<end], each.image, since: first)
      start = end
    }
  }
  private static let timePerRecord: UInt64 = 5_000_000

  private func write(_ symbols: ArraySlice<JITSymbol>, _ image: ImageHandle, since time: MonotonicInstant) throws(TraceError) {
    for start in stride(from: symbols.startIndex, to: symbols.endIndex, by: Self.symbolsPerRecord) {
      let part = symbols[start..<min(start + Self.symbolsPerRecord, symbols.endIndex)].map {
        JITSymbolsRecord.Symbol(address: $0.address, byteCount: $0.byteCount, name: $0.name)
      }
      try sink.append(.jitSymbols(JITSymbolsRecord(image: image, time: time, symbols: part)))
    }
  }

  private static func byteCount(of file: borrowing OwnedDescriptor?) -> UInt64? {
    switch file {
    case .some(let file): (try? file.status(path: "")).flatMap { UInt64(exactly: $0.st_size) }
    case nil: nil
    }
  }

  private static func read(_ file: borrowing OwnedDescriptor?, _ offset: UInt64, _ count: Int) -> [UInt8]? {
    switch file {
    case .some(let file): try? file.read(at: offset, count: count, path: "")
    case nil: nil
    }
  }

  private static func now() -> MonotonicInstant {
    var time = timespec()
    // Safe: writes one structure.
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return MonotonicInstant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }
}
