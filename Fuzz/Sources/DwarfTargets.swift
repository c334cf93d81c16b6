import Base
import DebugInfo
import Glibc
import ObjectFile
import Symbolize

/// Sections of debug information: the input takes the place of one section of a small program of `fixtures/dwarf`, whose other
/// sections stay good, so that what it says is followed to the end.
///
/// The first byte of an input says which program and section, the others are the section.
enum DwarfTargets {
  static let all: [Targets.Target] = groups.map { group in
    (group.name, { run(group.slots, $0) })
  }

  private struct Slot: Sendable {
    var program: String
    var section: StaticString
    /// The section is of the package or of the alternate file.
    var isOfCompanion = false
  }
  private struct Group: Sendable {
    var name: String
    var slots: [Slot]
  }

  private static let groups: [Group] = [
    Group(
      name: "dwarf-info",
      slots: [
        Slot(program: "gcc-4", section: ".debug_info"), Slot(program: "clang-5", section: ".debug_info"),
        Slot(program: "split-5", section: ".debug_info"),
        Slot(program: "split-5", section: ".debug_info.dwo", isOfCompanion: true),
        Slot(program: "split-4", section: ".debug_info.dwo", isOfCompanion: true),
        Slot(program: "dwz", section: ".debug_info"), Slot(program: "gcc-2", section: ".debug_info"),
        Slot(program: "gcc-64", section: ".debug_info"),
        Slot(program: "module", section: ".debug_info"), Slot(program: "module", section: ".rela.debug_info"),
      ]),
    Group(
      name: "dwarf-abbrev",
      slots: [
        Slot(program: "gcc-4", section: ".debug_abbrev"), Slot(program: "clang-5", section: ".debug_abbrev"),
        Slot(program: "split-5", section: ".debug_abbrev.dwo", isOfCompanion: true),
        Slot(program: "dwz", section: ".debug_abbrev"),
      ]),
    Group(
      name: "dwarf-line",
      slots: [
        Slot(program: "gcc-2", section: ".debug_line"), Slot(program: "gcc-4", section: ".debug_line"),
        Slot(program: "clang-5", section: ".debug_line"), Slot(program: "gcc-64", section: ".debug_line"),
        Slot(program: "clang-5", section: ".debug_line_str"),
      ]),
    Group(
      name: "dwarf-ranges",
      slots: [
        Slot(program: "gcc-4", section: ".debug_ranges"), Slot(program: "gcc-5", section: ".debug_rnglists"),
        Slot(program: "clang-5", section: ".debug_rnglists"), Slot(program: "split-4", section: ".debug_ranges"),
        Slot(program: "split-5", section: ".debug_rnglists.dwo", isOfCompanion: true),
        Slot(program: "gcc-4", section: ".debug_aranges"), Slot(program: "gcc-5", section: ".debug_aranges"),
      ]),
    Group(
      name: "dwarf-tables",
      slots: [
        Slot(program: "clang-5", section: ".debug_str_offsets"), Slot(program: "clang-5", section: ".debug_addr"),
        Slot(program: "split-5", section: ".debug_str_offsets.dwo", isOfCompanion: true),
        Slot(program: "split-4", section: ".debug_addr"),
        Slot(program: "split-4", section: ".debug_cu_index", isOfCompanion: true),
        Slot(program: "split-5", section: ".debug_cu_index", isOfCompanion: true),
        Slot(program: "clang-5", section: ".debug_str"), Slot(program: "dwz", section: ".debug_str", isOfCompanion: true),
      ]),
    Group(
      name: "compressed",
      slots: [
        Slot(program: "zlib", section: ".debug_info"), Slot(program: "zstd", section: ".debug_info"),
        Slot(program: "zlib-gnu", section: ".zdebug_info"), Slot(program: "zlib", section: ".debug_line"),
        Slot(program: "zstd", section: ".debug_abbrev"), Slot(program: "mini", section: ".gnu_debugdata"),
      ]),
  ]

  @Sendable private static func run(_ slots: [Slot], _ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let slot = slots[Int(first) % slots.count]
    let program = Program.named(slot.program)
    let section = Array(bytes.dropFirst())
    let main = slot.isOfCompanion ? program.file : replaced(slot.section, of: program.file, with: section)
    let companion = slot.isOfCompanion ? replaced(slot.section, of: program.companion, with: section) : program.companion
    let isShared = program.kind == .alternate
    let alternate = isShared ? try? DebugFile(OwnedBytes(companion)) : nil
    let package = program.kind == .package ? OwnedBytes(companion) : nil
    if let file = try? DebugFile(OwnedBytes(main), alternate: alternate, package: package) {
      let frames = file.frames(at: addresses)
      precondition(frames.count == addresses.count)
      for index in addresses.indices { _ = frames.frames(at: index) }
    }
    if slot.section.description == ".gnu_debugdata" {
      guard let file = try? ElfFile(main.borrowedBytes), let symbols = try? file.miniDebugInfo() else { return }
      _ = try? ElfFile(symbols.borrowedBytes).sections.count
    }
  }

  /// Where the programs' code is, and a little of what lies around.
  private static let addresses: [UInt64] = {
    let near = (0..<8).map { UInt64($0) * 11 }
    return near + (0..<160).map { 0x200_0000 + $0 * 9 } + (0..<32).map { 0x1_0000 + $0 * 11 } + [0x7fff_ffff_f000, .max]
  }()

  /// The file with other bytes in the place of a section: behind the rest, so that reading past them is found out.
  private static func replaced(_ name: StaticString, of file: [UInt8], with section: [UInt8]) -> [UInt8] {
    guard let place = sectionHeader(name, in: file) else { fatalError("no \(name)") }
    var writer = ByteWriter(capacity: file.count + section.count)
    writer.append(file)
    writer.overwrite(UInt64(file.count), at: place + 24)  // sh_offset
    writer.overwrite(UInt64(section.count), at: place + 32)  // sh_size
    writer.append(section)
    return writer.bytes
  }

  private static func sectionHeader(_ name: StaticString, in file: [UInt8]) -> Int? {
    guard let elf = try? ElfFile(file.borrowedBytes), let index = elf.section(named: name)?.index else { return nil }
    return Int(elf.header.sectionHeaderOffset.rawValue) + index * 64
  }

  /// Writes what every section holds in the good programs below `directory`, a folder a target: where mutation begins.
  static func writeSeeds(below directory: String) {
    for group in groups {
      mkdir("\(directory)/\(group.name)", 0o755)
      for (index, slot) in group.slots.enumerated() {
        let program = Program.named(slot.program)
        let file = slot.isOfCompanion ? program.companion : program.file
        guard let elf = try? ElfFile(file.borrowedBytes), let section = elf.section(named: slot.section)?.section else {
          fatalError("\(slot.program) has no \(slot.section)")
        }
        var seed = ByteWriter()
        seed.write(UInt8(index))
        if let bytes = try? elf.contents(of: section) { seed.append(bytes) }
        let path = "\(directory)/\(group.name)/\(slot.program)\(slot.section)"
        guard let output = try? OwnedDescriptor(open: path, O_RDWR | O_CREAT | O_TRUNC, mode: 0o644) else { continue }
        try? output.write(seed.bytes.borrowedBytes, path: path)
      }
    }
  }
}

/// A program of `fixtures/dwarf`; the fuzzer is started in the top directory.
private struct Program: Sendable {
  enum Kind { case plain, package, alternate }
  var kind: Kind
  var file: [UInt8]
  var companion: [UInt8] = []

  static func named(_ name: String) -> Program { all[name] ?? { fatalError("no fixture \(name)") }() }

  private static let all: [String: Program] = {
    var all: [String: Program] = [:]
    for name in ["gcc-2", "gcc-4", "gcc-5", "gcc-64", "clang-5", "zlib", "zstd", "zlib-gnu", "mini", "module"] {
      all[name] = Program(kind: .plain, file: read(name))
    }
    for name in ["split-4", "split-5"] {
      all[name] = Program(kind: .package, file: read(name), companion: read(name + ".dwp"))
    }
    all["dwz"] = Program(kind: .alternate, file: read("dwz"), companion: read("dwz.common"))
    return all
  }()

  private static func read(_ name: String) -> [UInt8] {
    guard let file = try? MappedFile(path: "fixtures/dwarf/" + name) else { fatalError("start it where fixtures/dwarf is") }
    var writer = ByteWriter(capacity: file.byteCount)
    writer.append(file.bytes)
    return writer.bytes
  }
}
