import Base
import TraceFormat

/// The text symbols of `/proc/kallsyms` (kernel, modules, BPF programs), kept small enough to hold while recording.
struct KernelSymbols {
  private var addresses: [UInt64] = []
  private var nameStarts: [UInt32] = []
  private var names: [UInt8] = []
  private var moduleOf: [UInt16] = []
  private(set) var modules: [String] = [""]
  /// `_stext` to `_etext`; 0 when addresses are hidden (kernel.kptr_restrict).
  private(set) var textStart: UInt64 = 0
  private(set) var textEnd: UInt64 = 0

  /// Bytes of kallsyms that are read: ten times what a distribution's kernel has.
  static let textLimit = 64 << 20

  var isEmpty: Bool { addresses.isEmpty }
  var count: Int { addresses.count }

  init() {}

  /// Lines read `ffffffff81000000 T _stext` and, for a module, a tab and its name in brackets.
  init(kallsyms text: [UInt8]) {
    var moduleNumbers: [String: UInt16] = ["": 0]
    var isSorted = true
    let bytes = text.span
    let count = bytes.count
    addresses.reserveCapacity(count / 60)
    nameStarts.reserveCapacity(count / 60)
    moduleOf.reserveCapacity(count / 60)
    names.reserveCapacity(count / 3)
    var index = 0
    while index < count {
      var address: UInt64 = 0
      while index < count, bytes[index] != 0x20 {
        let digit = bytes[index]
        address = address << 4 | UInt64(digit < 0x3a ? digit &- 0x30 : digit &- 0x57)
        if digit == 0x0a { break }
        index += 1
      }
      guard index + 3 < count, bytes[index] == 0x20 else { break }
      let type = bytes[index + 1]
      index += 3
      let nameStart = index
      while index < count, bytes[index] != 0x0a, bytes[index] != 0x09 { index += 1 }
      let nameEnd = index
      var module = ""
      if index < count, bytes[index] == 0x09 {
        let start = index + 2
        while index < count, bytes[index] != 0x0a { index += 1 }
        if start < index - 1 { module = String(decoding: text[start..<(index - 1)], as: UTF8.self) }
      }
      index += 1
      // t, T, w, W: code; the rest is data. Two data-like marks bound the kernel's text.
      guard type == 0x74 || type == 0x54 || type == 0x77 || type == 0x57, address != 0 else { continue }
      if type == 0x54 {
        if Self.equals(bytes, nameStart, nameEnd, "_stext") { textStart = address }
        if Self.equals(bytes, nameStart, nameEnd, "_etext") { textEnd = address }
      }
      var number: UInt16 = 0
      if !module.isEmpty {
        if let known = moduleNumbers[module] {
          number = known
        } else if modules.count < Int(UInt16.max) {
          number = UInt16(modules.count)
          moduleNumbers[module] = number
          modules.append(module)
        }
      }
      if let last = addresses.last, last > address { isSorted = false }
      addresses.append(address)
      nameStarts.append(UInt32(truncatingIfNeeded: names.count))
      moduleOf.append(number)
      for position in nameStart..<nameEnd { names.append(bytes[position]) }
      names.append(0)
    }
    if !isSorted { sort() }
  }

  private static func equals(_ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ text: StaticString) -> Bool {
    guard end - start == text.utf8CodeUnitCount else { return false }
    // Safe: the literal's bytes are its own and as many as compared.
    for offset in 0..<(end - start) where unsafe bytes[start + offset] != text.utf8Start[offset] { return false }
    return true
  }

  private mutating func sort() {
    // Equal addresses keep their order in the file.
    let order = addresses.indices.sorted { (addresses[$0], $0) < (addresses[$1], $1) }
    addresses = order.map { addresses[$0] }
    nameStarts = order.map { nameStarts[$0] }
    moduleOf = order.map { moduleOf[$0] }
  }

  /// The symbol that covers `address`, up to the next one; `nil` below the first and in no known text.
  func symbol(at address: UInt64) -> KernelSymbolsRecord.Symbol? {
    var low = 0
    var high = addresses.count
    while low < high {
      let middle = (low + high) / 2
      if addresses[middle] <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    var index = low - 1
    // Of several at one address the first is the one the kernel itself prints.
    while index > 0, addresses[index - 1] == addresses[index] { index -= 1 }
    if moduleOf[index] == 0, textEnd != 0, address >= textEnd { return nil }
    return symbol(number: index)
  }

  func symbol(number index: Int) -> KernelSymbolsRecord.Symbol {
    let start = Int(nameStarts[index])
    var end = start
    while end < names.count, names[end] != 0 { end += 1 }
    var next = index + 1
    while next < addresses.count, addresses[next] == addresses[index] { next += 1 }
    // What follows the last one is not known; a page is enough for a function.
    let limit = next < addresses.count ? addresses[next] : addresses[index] &+ 4096
    return KernelSymbolsRecord.Symbol(
      address: addresses[index], byteCount: limit &- addresses[index],
      name: String(decoding: names[start..<end], as: UTF8.self), module: modules[Int(moduleOf[index])])
  }

  /// The kernel itself, which has no address where that is hidden, and the lines of `/proc/modules` (`name size uses
  /// needed-by state address`).
  /// - Parameter notes: those of a module, by its name; nothing when they are not to be had.
  static func moduleRecords(
    text: (start: UInt64, end: UInt64), modulesText: [UInt8], kernelBuildID: String, notes: (String) -> [UInt8] = { _ in [] }
  ) -> [KernelModulesRecord.Module] {
    var found: [KernelModulesRecord.Module] = []
    if text.start != 0 {
      found.append(
        KernelModulesRecord.Module(
          name: "vmlinux", address: text.start, byteCount: text.end &- text.start, buildID: kernelBuildID))
    }
    for line in String(decoding: modulesText, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count >= 6, let size = UInt64(fields[1]), fields[5].hasPrefix("0x"),
        let address = UInt64(fields[5].dropFirst(2), radix: 16), address != 0
      else { continue }
      let name = String(fields[0])
      found.append(KernelModulesRecord.Module(name: name, address: address, byteCount: size, buildID: buildID(notes: notes(name))))
    }
    return found.sorted { ($0.address, $0.name) < ($1.address, $1.name) }
  }

  /// The build ID in `/sys/kernel/notes` (System V gABI, "Note Section"); empty when there is none.
  static func buildID(notes: [UInt8]) -> String {
    var cursor = ByteCursor(notes.borrowedBytes)
    while cursor.remaining >= 12 {
      do throws(MalformedInput) {
        let nameBytes: UInt32 = try cursor.read("n_namesz")
        let descriptionBytes: UInt32 = try cursor.read("n_descsz")
        let type: UInt32 = try cursor.read("n_type")
        let name = try cursor.take(Int(nameBytes), "name").text()
        try cursor.skip(min((4 - Int(nameBytes) % 4) % 4, cursor.remaining), "padding")
        let description = try cursor.take(Int(descriptionBytes), "desc").copied()
        try cursor.skip(min((4 - Int(descriptionBytes) % 4) % 4, cursor.remaining), "padding")
        if type == 3, name == "GNU\0" { return BuildID(description)?.hex ?? "" }
      } catch {
        return ""
      }
    }
    return ""
  }
}
