import Base
import DebugInfo
import ObjectFile

/// Lines and inlined functions of the kernel, or of one module, from its debug file.
///
/// Where the kernel was loaded is told by the names it gave: the distance between where it said a function is and where the debug
/// file has it. For a kernel that is one distance (KASLR moves it as a whole), for a module one a section.
package struct KernelLines: Sendable {
  private let file: DebugFile
  private let bytes: ImageBytes
  /// Where the sections lie in the debug file, ascending, and how far the running kernel's are from there.
  private let parts: [Part]

  private struct Part: Sendable {
    var start: UInt64
    var end: UInt64
    /// Added to an address of the debug file.
    var slide: UInt64
  }

  /// - Parameters:
  ///   - bytes: proven to be of the build that ran.
  ///   - symbols: what was recorded of this kernel, or this module, alone.
  ///   - textStart: where `_stext` was; `nil` of a module, or when it is not known.
  ///   - steps: gets why the file is not used.
  /// - Returns: `nil` when the file has no debug information, or does not have the functions where they could be.
  package init?(
    _ bytes: ImageBytes, symbols: [KernelSymbolTable.Symbol], textStart: UInt64?, workers: Int = 1, steps: inout [LocatorStep]
  ) {
    func refuse(_ outcome: LocatorStep.Outcome) {
      steps.append(LocatorStep(place: .kernelFile, path: (bytes.path ?? "the kernel's debug file") + ", lines", outcome: outcome))
    }
    let elf: ElfFile
    do throws(MalformedInput) {
      elf = try ElfFile(bytes.bytes)
    } catch {
      refuse(.malformed(error))
      return nil
    }
    let bases = ElfRelocatable(elf)?.bases
    let found = Self.places(of: symbols, textStart, in: elf, bases)
    var votes: [Int: [UInt64: Int]] = [:]
    for place in found { votes[bases == nil ? 0 : place.section, default: [:]][place.slide, default: 0] += 1 }
    var parts: [Part] = []
    for (section, slides) in votes.sorted(by: { $0.key < $1.key }) {
      // Most of them, or nothing: of a name that two functions have the wrong one may have been taken.
      guard let best = slides.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), 2 * best.value > slides.values.reduce(0, +) else {
        continue
      }
      if let bases {
        let end = bases[section].addingReportingOverflow(elf.sections[section].byteCount)
        parts.append(Part(start: bases[section], end: end.overflow ? .max : end.partialValue, slide: best.key))
      } else {
        parts.append(Part(start: 0, end: .max, slide: best.key))
      }
    }
    guard !parts.isEmpty else {
      refuse(.unfit("it does not have the functions of the samples at one distance from where they were recorded"))
      return nil
    }
    do throws(MalformedInput) {
      file = try DebugFile(bytes, workers: workers)
    } catch {
      refuse(.malformed(error))
      return nil
    }
    guard file.hasUnits else {
      refuse(.unfit("it has no debug information"))
      return nil
    }
    self.bytes = bytes
    self.parts = parts
  }

  /// One list an address, innermost first, empty where nothing is known.
  /// - Parameters:
  ///   - addresses: of the running kernel, in any order.
  ///   - symbols: by address, the function that was recorded there; its name is that of the outermost frame.
  package func frames(
    at addresses: [UInt64], names: [String], showsInlines: Bool, workers: Int = 1
  ) -> [[Frame]] {
    let order = addresses.indices.compactMap { index in inFile(addresses[index]).map { (address: $0, index: index) } }
      .sorted { ($0.address, $0.index) < ($1.address, $1.index) }
    var found = file.frames(at: order.map(\.address), workers: workers).search()
    var frames = [[Frame]](repeating: [], count: addresses.count)
    guard !bytes.isDamaged else { return frames }
    for (place, entry) in order.enumerated() {
      let debug = found.frames(at: place)
      guard !debug.isEmpty, case .frames(let list)? = DebugLines.merged(debug, names[entry.index], showsInlines: showsInlines)
      else { continue }
      frames[entry.index] = list
    }
    return frames
  }

  private func inFile(_ address: UInt64) -> UInt64? {
    for part in parts {
      let place = address &- part.slide
      if place >= part.start, place < part.end { return place }
    }
    return nil
  }

  /// Where the file has the symbols, and how far they are from where they were recorded; only names that it has once.
  private static func places(
    of symbols: [KernelSymbolTable.Symbol], _ textStart: UInt64?, in elf: borrowing ElfFile, _ bases: [UInt64]?
  ) -> [(section: Int, slide: UInt64)] {
    guard let table = elf.symbolTable else { return [] }
    var wanted: [String: UInt64] = [:]
    for symbol in symbols { wanted[symbol.name] = symbol.address }
    if let textStart { wanted["_stext"] = textStart }
    guard !wanted.isEmpty else { return [] }
    let lengths = Set(wanted.keys.map(\.utf8.count))
    var found: [String: (section: Int, slide: UInt64)?] = [:]
    for index in 0..<table.count {
      let symbol = table[index]
      guard symbol.kind == .function || symbol.kind == .none, symbol.section != 0 else { continue }
      let name = table.name(at: symbol.nameOffset)
      guard lengths.contains(name.byteCount) else { continue }
      let text = name.text()
      guard let address = wanted[text] else { continue }
      let section = Int(table.sectionIndex(of: symbol, at: index))
      var value = symbol.value
      if let bases {
        guard bases.indices.contains(section), bases[section] != 0 else { continue }
        value = value &+ bases[section]
      }
      let slide = address &- value
      if let known = found[text] {
        if known?.slide != slide { found[text] = .some(nil) }
      } else {
        found[text] = (section, slide)
      }
    }
    return found.keys.sorted().compactMap { found[$0].flatMap { $0 } }
  }
}
