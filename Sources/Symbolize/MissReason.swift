/// Why an address has no name. Raw values are written into traces and never change; 0 stands for "has a name" there.
package enum MissReason: UInt8, Hashable, Sendable, CaseIterable {
  case noImageCopy = 1
  case imageChanged = 2
  case strippedNoDebugFile = 3
  case addressOutsideEveryFunction = 4
  case mappingUnknown = 5
  case malformedImage = 6
  case notELF = 7
  case kernelSymbolUnknown = 8
  case anonymousMemory = 9
  case debugFileMismatch = 10
  case debugFileUnreachable = 11
  case interpretedCodeNotRead = 12

  /// The word in reports and JSON keys.
  package var name: String {
    switch self {
    case .noImageCopy: "no_image_copy"
    case .imageChanged: "image_changed"
    case .strippedNoDebugFile: "stripped_no_debug_file"
    case .addressOutsideEveryFunction: "address_outside_every_function"
    case .mappingUnknown: "mapping_unknown"
    case .malformedImage: "malformed_image"
    case .notELF: "not_elf"
    case .kernelSymbolUnknown: "kernel_symbol_unknown"
    case .anonymousMemory: "anonymous_memory"
    case .debugFileMismatch: "debug_file_mismatch"
    case .debugFileUnreachable: "debug_file_unreachable"
    case .interpretedCodeNotRead: "interpreted_code_not_read"
    }
  }

  /// What to do about it, as a sentence without its end.
  package var advice: String {
    switch self {
    case .noImageCopy:
      "the trace holds no copy of this file and none is at its path: record with --images symbols, or pass --sysroot or --debug-directory"
    case .imageChanged:
      "the file at this path is no longer the one that was recorded: pass the --debug-directory or --sysroot that holds the old one"
    case .strippedNoDebugFile:
      "the file is stripped: install its debug package (-dbg, -dbgsym, -debuginfo), or pass --debuginfod-url or --debug-directory"
    case .addressOutsideEveryFunction:
      "no function covers this address: padding, hand-written code without symbols, or a stack that was unwound wrongly"
    case .mappingUnknown:
      "nothing was mapped at this address when it was sampled: often a stack that was unwound wrongly, built without frame pointers"
    case .malformedImage:
      "the file's tables are damaged: record again, or pass the intact file with --debug-directory"
    case .notELF:
      "the mapped file is not an ELF file this version reads"
    case .kernelSymbolUnknown:
      "the kernel's symbol list was not readable: record as root, with kernel.kptr_restrict at 0 or 1"
    case .anonymousMemory:
      "code generated at run time, which belongs to no file: have the runtime write a perf map"
    case .debugFileMismatch:
      "a debug file was found and belongs to another build: install the one of this version, or pass --debuginfod-url"
    case .debugFileUnreachable:
      "the file is stripped, and a server or file that may have its debug file could not be read: see symbolize --verbose for why, and run it again"
    case .interpretedCodeNotRead:
      "the program was gone, or had thrown the code away, before it could be read"
    }
  }

  /// The same for the image at `path`, naming the package where that is known.
  package func advice(for path: String) -> String {
    switch self {
    case .strippedNoDebugFile, .debugFileMismatch:
      guard let package = DebugPackage.name(for: path) else { return advice }
      return self == .debugFileMismatch
        ? "a debug file was found and belongs to another build: install the \(package) of this version, or pass --debuginfod-url"
        : "the file is stripped: install \(package), or pass --debuginfod-url or --debug-directory"
    default: return advice
    }
  }
}
