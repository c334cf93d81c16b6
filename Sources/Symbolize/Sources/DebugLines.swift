import Base
import DebugInfo
import ObjectFile

extension ImageBytes: SharedBytes {}

/// Lines and inlined functions from the debug information of one image.
struct DebugLines: Sendable {
  private let file: DebugFile
  private let bytes: ImageBytes

  /// The file was cut short while it was read.
  var isDamaged: Bool { bytes.isDamaged }

  /// - Parameters:
  ///   - candidates: where the debug information may be, best first: the first that has any is used.
  ///   - locator: finds the files that it refers to.
  ///   - steps: gets what was looked for, and what could not be read: damaged debug information costs the lines, not the names.
  init?(
    _ candidates: [ImageBytes], _ image: ImageIdentity, _ locator: ImageLocator, workers: Int, steps: inout [LocatorStep]
  ) {
    for bytes in candidates {
      guard let file = try? ElfFile(bytes.bytes), file.hasDebugInformation else { continue }
      let link = (try? file.debugAltLink()).flatMap { $0 }
      let alternate = link.flatMap { locator.alternate($0, of: image, &steps) }
      let package = locator.package(of: image)
      let open: @Sendable (SplitRequest) -> (any SharedBytes)? = { locator.splitFile($0.name, in: $0.directory, of: image) }
      let found: DebugFile
      do throws(MalformedInput) {
        found = try DebugFile(
          bytes, alternate: alternate.flatMap { try? DebugFile($0, workers: workers) }, package: package, workers: workers,
          openSplit: open)
      } catch {
        steps.append(LocatorStep(place: .companionFile, path: image.path + ", debug information", outcome: .malformed(error)))
        continue
      }
      guard found.hasUnits else { continue }
      self.file = found
      self.bytes = bytes
      return
    }
    return nil
  }

  /// - Parameter addresses: in ascending order.
  func frames(at addresses: [UInt64], workers: Int) -> DebugFrames { file.frames(at: addresses, workers: workers) }
}

extension Symbolizer {
  /// Puts in what debug information says. The name of the outermost function stays the symbol table's, which is the linkage
  /// name and tells clones and cold parts apart.
  func addLines(
    _ image: ImageIdentity, _ located: ImageLocator.Located, _ addresses: [ImageAddress], _ workers: Int,
    to answer: inout Answer
  ) {
    let candidates = [located.debugFile, located.image].compactMap { $0 }
    guard !candidates.isEmpty, !addresses.isEmpty else { return }
    let lines =
      DebugLines(candidates, image, locator, workers: workers, steps: &answer.steps)
      ?? (located.debugFile == nil ? locator.original(image) : nil).flatMap {
        DebugLines([$0], image, locator, workers: workers, steps: &answer.steps)
      }
    guard let lines else { return }
    let order = addresses.indices.sorted { (addresses[$0].rawValue, $0) < (addresses[$1].rawValue, $1) }
    let frames = lines.frames(at: order.map { addresses[$0].rawValue }, workers: workers)
    guard !lines.isDamaged else { return }
    for (place, index) in order.enumerated() {
      let found = frames.frames(at: place)
      guard !found.isEmpty else { continue }
      var name: String?
      if case .frames(let known) = answer.symbolizations[index] { name = known.last?.function }
      answer.symbolizations[index] = DebugLines.merged(found, name, showsInlines: showsInlines) ?? answer.symbolizations[index]
    }
  }
}

extension DebugLines {
  /// - Parameter name: the symbol table's, for the outermost frame.
  static func merged(_ found: [DebugFrame], _ name: String?, showsInlines: Bool) -> Symbolization? {
    var list: [Frame] = []
    list.reserveCapacity(found.count)
    for (index, frame) in found.enumerated() {
      let isOutermost = index == found.count - 1
      guard let function = isOutermost ? name ?? frame.function : frame.function else {
        // An inlined function whose name is in a file that was not found.
        if isOutermost { return nil }
        continue
      }
      list.append(Frame(function: function, file: frame.file, line: frame.line, startLine: frame.startLine))
    }
    return .frames(showsInlines ? list : Array(list.suffix(1)))
  }
}

extension ElfFile {
  /// There are entries to be read, compressed or not; a recorded copy may have the headers alone.
  fileprivate var hasDebugInformation: Bool {
    for name: StaticString in [".debug_info", ".zdebug_info"] {
      guard let section = section(named: name)?.section, section.kind != .noBits else { continue }
      let start = bytes(at: section.fileOffset, min(section.byteCount, 64))
      for index in 0..<start.byteCount where start.byte(at: index) != 0 { return true }
    }
    return false
  }
}
