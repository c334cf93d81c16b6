package import Base
package import ObjectFile

/// Why there is no unwind table of a file at all.
package enum UnwindError: Error, Hashable {
  case unreadableFile(MalformedInput)
  case unsupportedMachine(ElfMachine, ElfHeader.FileClass)
}

extension UnwindError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unreadableFile(let cause):
      "no unwind table: \(cause); the file is damaged or no ELF file"
    case .unsupportedMachine(let machine, let fileClass):
      """
      no unwind table: e_machine \(machine.rawValue)\(fileClass == .elf32 ? ", 32-bit" : "") is not read; \
      64-bit x86-64 and aarch64 are
      """
    }
  }
}
