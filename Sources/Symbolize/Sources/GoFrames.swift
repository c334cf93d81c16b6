package import Base
import ObjectFile

/// Functions, lines and inlined calls of a Go program from its own table, which stripping leaves in place.
///
/// Inlined calls are known from Go 1.16 on; before, an address inside one has the file and line of the callee under the name
/// of the caller, as `go tool addr2line` says it too.
package struct GoFrames: FrameSource {
  /// Deeper chains are cut: a hostile tree may be a ring.
  static let maximumDepth = 256
  /// Of one program; a function with more instructions has no lines behind them.
  static let maximumStepCount = 1 << 20
  /// Calls of one function's tree.
  static let maximumCallNumber: Int32 = 1 << 20
  static let maximumNameByteCount = 1 << 14

  private let image: ImageBytes
  private let location: GoTableLocation
  private let layout: ImageLayout
  /// Of `go:func.*`; 0 when not known or not needed.
  private let functionData: UInt64
  private var last: Function?
  /// Steps that programs may still have: programs of a sane table do not overlap.
  private var stepsLeft: Int

  /// `nil` for what is no Go program.
  package init?(_ image: ImageBytes?) {
    guard let image, let elf = try? ElfFile(image.bytes), let location = GoTableLocation(elf), location.header.functionCount > 0
    else { return nil }
    self.image = image
    self.location = location
    layout = elf.layout
    functionData = GoModule(elf, location.header, tableAddress: location.address.rawValue)?.functionData ?? 0
    stepsLeft = 4 * location.byteCount
  }

  /// A value that holds up to, and without, an address.
  private struct Step {
    var end: UInt64
    var value: Int32
  }
  private struct Function {
    var index: Int
    var start: UInt64
    var name: String
    var startLine: UInt32?
    var unit: Int
    var files: [Step]
    var lines: [Step]
    var calls: [Step]
    /// The address of the first inlined call; 0 when there is none.
    var tree: UInt64
    var names: [UInt32: String] = [:]
  }

  package mutating func frames(at address: ImageAddress) -> [Frame]? {
    guard let index = function(at: address.rawValue) else { return nil }
    var function: Function
    if let last, last.index == index {
      function = last
    } else if let read = read(index) {
      function = read
    } else {
      return nil
    }
    // Taken out meanwhile, so that its names are not copied.
    last = nil
    defer { last = function }
    return frames(in: &function, address.rawValue)
  }

  private func frames(in function: inout Function, _ address: UInt64) -> [Frame] {
    var frames: [Frame] = []
    var place = address
    var call = Self.value(function.calls, place) ?? -1
    while call >= 0, call < Self.maximumCallNumber, frames.count < Self.maximumDepth, let callee = self.call(call, of: function) {
      let name: String
      if let known = function.names[callee.name] {
        name = known
      } else {
        name = self.name(callee.name)
        function.names[callee.name] = name
      }
      if name.isEmpty { break }
      frames.append(frame(name, at: place, in: function, startLine: callee.startLine))
      // The call itself is where the caller is.
      place = function.start &+ UInt64(callee.parentOffset)
      call = Self.value(function.calls, place) ?? -1
    }
    frames.append(frame(function.name, at: place, in: function, startLine: function.startLine))
    return frames
  }

  private func frame(_ name: String, at address: UInt64, in function: Function, startLine: UInt32?) -> Frame {
    let file = Self.value(function.files, address).flatMap { self.file($0, unit: function.unit) }
    let line = Self.value(function.lines, address).flatMap { $0 > 0 ? UInt32($0) : nil }
    return Frame(function: name, file: file, line: line, startLine: startLine)
  }

  private static func value(_ steps: [Step], _ address: UInt64) -> Int32? {
    var low = 0
    var high = steps.count
    while low < high {
      let middle = (low &+ high) / 2
      if steps[middle].end <= address { low = middle &+ 1 } else { high = middle }
    }
    return low < steps.count ? steps[low].value : nil
  }
}

// MARK: - Reading the table

extension GoFrames {
  private var header: GoTableHeader { location.header }

  private func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type = Value.self) -> Value? {
    guard offset >= 0, offset <= location.byteCount &- MemoryLayout<Value>.size else { return nil }
    return image.bytes.integer(at: location.fileOffset &+ offset, as: Value.self)
  }

  private func entry(_ index: Int) -> UInt64 {
    let place = header.functions + index * header.entryByteCount
    if header.layout.hasOffsets { return location.textStart &+ UInt64(integer(place, as: UInt32.self) ?? 0) }
    return integer(place, as: UInt64.self) ?? 0
  }

  /// The number of the function that covers `address`.
  private func function(at address: UInt64) -> Int? {
    var low = 0
    var high = header.functionCount
    while low < high {
      let middle = (low &+ high) / 2
      if entry(middle) <= address { low = middle &+ 1 } else { high = middle }
    }
    // The entry behind the last function says where the code ends.
    guard low > 0, address < entry(low) else { return nil }
    return low - 1
  }

  private mutating func read(_ index: Int) -> Function? {
    let layout = header.layout
    let place = header.functions + index * header.entryByteCount
    let offset: Int
    if layout.hasOffsets {
      offset = Int(integer(place + 4, as: UInt32.self) ?? 0)
    } else {
      guard let small = Int(exactly: integer(place + 8, as: UInt64.self) ?? 0), small <= location.byteCount else { return nil }
      offset = small
    }
    // From Go 1.16 on counted from the list of functions, before from the start.
    let at = (layout == .go1_2 ? 0 : header.functions) + offset
    // `nameoff`, `args`, `deferreturn`, `pcsp`, `pcfile`, `pcln`, `npcdata`, from behind the entry.
    let fields = at + (layout.hasOffsets ? 4 : 8)
    guard let nameOffset = integer(fields, as: UInt32.self), let files = integer(fields + 16, as: UInt32.self),
      let lines = integer(fields + 20, as: UInt32.self), let dataCount = integer(fields + 24, as: UInt32.self)
    else { return nil }
    let start = entry(index)
    let end = entry(index + 1)
    let name = name(nameOffset)
    guard !name.isEmpty, start < end else { return nil }
    var function = Function(
      index: index, start: start, name: name, startLine: nil, unit: 0, files: [], lines: [], calls: [], tree: 0)
    function.files = steps(files, start, end)
    function.lines = steps(lines, start, end)
    guard layout != .go1_2 else { return function }
    function.unit = Int(integer(fields + 28, as: UInt32.self) ?? 0)
    if layout == .go1_20, let line = integer(fields + 32, as: Int32.self), line > 0 { function.startLine = UInt32(line) }
    // `startLine` came with Go 1.20; then `funcID`, a flag, a byte of nothing, `nfuncdata`.
    let counts = fields + (layout == .go1_20 ? 36 : 32)
    let data = counts + 4
    let inlinedCalls = 2  // PCDATA_InlTreeIndex
    guard dataCount > inlinedCalls, dataCount < 1 << 16, let program = integer(data + 4 * inlinedCalls, as: UInt32.self), program != 0
    else { return function }
    function.tree = tree(from: data + 4 * Int(dataCount), count: Int(integer(counts + 3, as: UInt8.self) ?? 0))
    if function.tree != 0 { function.calls = steps(program, start, end) }
    return function
  }

  /// The address of a function's inlined calls; 0 when it has none.
  /// - Parameters:
  ///   - place: of the first of the function's data, in the table.
  ///   - count: of them.
  private func tree(from place: Int, count: Int) -> UInt64 {
    let number = 3  // FUNCDATA_InlTree
    guard count > number else { return 0 }
    if header.layout.hasOffsets {
      guard functionData != 0, let offset = integer(place + 4 * number, as: UInt32.self), offset != .max else { return 0 }
      return functionData &+ UInt64(offset)
    }
    // Pointers, aligned as such.
    return integer((place + 7) / 8 * 8 + 8 * number, as: UInt64.self) ?? 0
  }

  private struct Call {
    var name: UInt32
    var parentOffset: UInt32
    var startLine: UInt32?
  }

  /// `inlinedCall` of Go's `src/runtime/symtabinl.go` (before 1.21 `symtab.go`).
  private func call(_ number: Int32, of function: Function) -> Call? {
    let isNew = header.layout == .go1_20
    let address = ImageAddress(function.tree &+ UInt64(number) &* (isNew ? 16 : 20))
    guard let place = layout.fileOffset(of: address).flatMap({ Int(exactly: $0.rawValue) }), place <= image.byteCount,
      let name = image.bytes.integer(at: place + (isNew ? 4 : 12), as: UInt32.self),
      let parent = image.bytes.integer(at: place + (isNew ? 8 : 16), as: UInt32.self)
    else { return nil }
    let startLine =
      isNew ? image.bytes.integer(at: place + 12, as: Int32.self).flatMap { $0 > 0 ? UInt32($0) : nil } : nil
    return Call(name: name, parentOffset: parent, startLine: startLine)
  }

  /// Pairs of how a value changes, and for how many instruction units (`step` of Go's `src/runtime/symtab.go`).
  private mutating func steps(_ offset: UInt32, _ start: UInt64, _ end: UInt64) -> [Step] {
    guard offset != 0 || header.layout == .go1_2 else { return [] }
    var place = header.programs + Int(offset)
    var steps: [Step] = []
    var value: Int32 = -1
    var address = start
    while address < end, steps.count < Self.maximumStepCount, stepsLeft > 0 {
      guard let change = varint(&place), change != 0 || steps.isEmpty, let units = varint(&place), units > 0 else { break }
      value &+= Int32(bitPattern: change >> 1) ^ (0 &- Int32(bitPattern: change & 1))
      let next = address &+ UInt64(units) &* header.quantum
      guard next > address else { break }
      address = next
      steps.append(Step(end: address, value: value))
      stepsLeft -= 1
    }
    return steps
  }

  private func varint(_ place: inout Int) -> UInt32? {
    var value: UInt32 = 0
    var shift: UInt32 = 0
    while shift < 35, let byte = integer(place, as: UInt8.self) {
      place += 1
      value |= UInt32(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  private func name(_ offset: UInt32) -> String { text(header.names + Int(offset)) }

  private func file(_ number: Int32, unit: Int) -> String? {
    guard number >= 0 else { return nil }
    let place: Int
    if header.layout == .go1_2 {
      guard let offset = integer(header.files + 4 * Int(number), as: UInt32.self), offset != 0 else { return nil }
      place = Int(offset)
    } else {
      guard let offset = integer(header.units + 4 * (unit + Int(number)), as: UInt32.self), offset != .max else { return nil }
      place = header.files + Int(offset)
    }
    let name = text(place)
    return name.isEmpty ? nil : name
  }

  private func text(_ place: Int) -> String {
    guard place < location.byteCount else { return "" }
    let table = image.bytes.extracting(location.fileOffset..<(location.fileOffset + location.byteCount))
    return ElfStrings.string(at: place, in: table, limit: Self.maximumNameByteCount).text()
  }
}
