import CLibBPF
import CRecorderABI
import Glibc
import TraceFormat

/// Asks the kernel, through a BPF program that runs when told to, what its code is called (`bpf/kernel_names.bpf.h`).
///
/// Some thousand addresses are asked for in a recording: a few milliseconds, where reading and parsing all of
/// `/proc/kallsyms` takes seventy.
struct KernelNames {
  let program: Int32
  let map: Int32

  private static let slots = Int(PYROREC_NAME_SLOTS)
  private static let nameBytes = Int(PYROREC_NAME_BYTES)
  private static let headerBytes = Int(PYROREC_NAMES_HEADER_BYTES)
  private static let namesStart = headerBytes + slots * 8

  /// Whether this kernel (5.16 or newer) has what the program needs and lets it be loaded.
  static var isAvailable: Bool {
    libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SYSCALL, nil) == 1
      && libbpf_probe_bpf_helper(BPF_PROG_TYPE_SYSCALL, BPF_FUNC_kallsyms_lookup_name, nil) == 1
  }

  /// `_stext` and `_etext`; zeros where the kernel hides its addresses (kernel.kptr_restrict). `nil`: refused.
  func textRange() -> (start: UInt64, end: UInt64)? {
    guard let answer = ask([], wantsText: true) else { return nil }
    return (Self.number(answer, at: 8, bytes: 8), Self.number(answer, at: 16, bytes: 8))
  }

  /// The symbol that covers each address, in order; `nil` for one that is in no known code. `nil` for all: refused.
  func symbols(at addresses: [UInt64]) -> [KernelSymbolsRecord.Symbol?]? {
    var found: [KernelSymbolsRecord.Symbol?] = []
    found.reserveCapacity(addresses.count)
    var start = 0
    while start < addresses.count {
      let some = addresses[start..<min(start + Self.slots, addresses.count)]
      guard let answer = ask(some, wantsText: false) else { return nil }
      for (index, address) in some.enumerated() {
        let from = Self.namesStart + index * Self.nameBytes
        found.append(Self.symbol(answer[from..<(from + Self.nameBytes)].prefix { $0 != 0 }, address: address))
      }
      start += Self.slots
    }
    return found
  }

  private func ask(_ addresses: ArraySlice<UInt64>, wantsText: Bool) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: Self.namesStart + Self.slots * Self.nameBytes)
    bytes[0] = wantsText ? 1 : 0
    bytes[4] = UInt8(truncatingIfNeeded: addresses.count)
    for (index, address) in addresses.enumerated() {
      for byte in 0..<8 { bytes[Self.headerBytes + index * 8 + byte] = UInt8(truncatingIfNeeded: address >> UInt64(byte * 8)) }
    }
    var key: UInt32 = 0
    var options = unsafe bpf_test_run_opts()
    unsafe options.sz = MemoryLayout<bpf_test_run_opts>.size
    // Safe: the map's value is one `struct pyrorec_kernel_names`, as long as `bytes` (bpf/abi/abi.c).
    guard unsafe bytes.withUnsafeBytes({ unsafe bpf_map_update_elem(map, &key, $0.baseAddress, 0) }) == 0,
      unsafe bpf_prog_test_run_opts(program, &options) == 0, unsafe options.retval == 0,
      unsafe bytes.withUnsafeMutableBytes({ unsafe bpf_map_lookup_elem(map, &key, $0.baseAddress) }) == 0
    else { return nil }
    return bytes
  }

  /// The symbol when it is one of code: behind the kernel's text lie symbols of data, and BPF programs and trampolines, which
  /// `%pS` names without a module, unlike `/proc/kallsyms`.
  static func code(_ symbol: KernelSymbolsRecord.Symbol, text: (start: UInt64, end: UInt64)) -> KernelSymbolsRecord.Symbol? {
    guard symbol.module.isEmpty, text.end != 0, symbol.address < text.start || symbol.address >= text.end else { return symbol }
    if symbol.name.hasPrefix("bpf_") {
      var program = symbol
      program.module = "bpf"
      return program
    }
    return symbol.address >= text.end ? nil : symbol
  }

  /// `name+0x1c/0x40` and, for a module, a blank and its name in brackets; anything else is no symbol.
  static func symbol(_ text: some Collection<UInt8>, address: UInt64) -> KernelSymbolsRecord.Symbol? {
    var text = String(decoding: text, as: UTF8.self)[...]
    var module = ""
    if text.last == "]", let open = text.lastIndex(of: "["), open > text.startIndex {
      module = String(text[text.index(after: open)...].dropLast())
      text = text[..<text.index(before: open)]
    }
    guard let plus = text.lastIndex(of: "+"), plus > text.startIndex, let slash = text[plus...].firstIndex(of: "/"),
      let offset = Self.hexadecimal(text[text.index(after: plus)..<slash]),
      let size = Self.hexadecimal(text[text.index(after: slash)...]), offset <= address
    else { return nil }
    return KernelSymbolsRecord.Symbol(
      address: address - offset, byteCount: size, name: String(text[..<plus]), module: module)
  }

  private static func hexadecimal(_ text: Substring) -> UInt64? {
    text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : nil
  }

  private static func number(_ bytes: [UInt8], at start: Int, bytes count: Int) -> UInt64 {
    (0..<count).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64($1 * 8) }
  }
}
