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
  /// Damaged debug information costs the lines, not the names.
  init?(_ candidates: [ImageBytes], _ image: ImageIdentity, _ locator: ImageLocator, workers: Int) {
    for bytes in candidates {
      guard let file = try? ElfFile(bytes.bytes), file.hasDebugInformation else { continue }
      let alternate = (try? file.debugAltLink()).flatMap { $0 }.flatMap { locator.alternate($0, of: image) }
      let package = locator.package(of: image)
      let open: @Sendable (SplitRequest) -> (any SharedBytes)? = { locator.splitFile($0.name, in: $0.directory) }
      guard
        let found = try? DebugFile(
          bytes, alternate: alternate.flatMap { try? DebugFile($0, workers: workers) }, package: package, workers: workers,
          openSplit: open), found.hasUnits
      else { continue }
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
    to symbolizations: inout [Symbolization]
  ) {
    let candidates = [located.debugFile, located.image].compactMap { $0 }
    guard !candidates.isEmpty, !addresses.isEmpty else { return }
    let lines =
      DebugLines(candidates, image, locator, workers: workers)
      ?? (located.debugFile == nil ? locator.original(image) : nil).flatMap {
        DebugLines([$0], image, locator, workers: workers)
      }
    guard let lines else { return }
    let order = addresses.indices.sorted { (addresses[$0].rawValue, $0) < (addresses[$1].rawValue, $1) }
    let frames = lines.frames(at: order.map { addresses[$0].rawValue }, workers: workers)
    guard !lines.isDamaged else { return }
    for (place, index) in order.enumerated() {
      let found = frames.frames(at: place)
      guard !found.isEmpty else { continue }
      var name: String?
      if case .frames(let known) = symbolizations[index] { name = known.last?.function }
      symbolizations[index] = DebugLines.merged(found, name, showsInlines: showsInlines) ?? symbolizations[index]
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

extension ImageLocator {
  /// The file of `dwz`; only with the build ID that the link states.
  func alternate(_ link: ElfDebugAltLink, of image: ImageIdentity) -> ImageBytes? {
    guard let wanted = link.buildID else { return nil }
    let byID = Self.path(of: wanted)
    var paths = debugDirectories.map { $0 + "/" + byID }
    for root in roots {
      paths.append(root + "/usr/lib/debug/" + byID)
      if link.path.utf8.first == UInt8(ascii: "/") {
        paths.append(root + link.path)
      } else if image.path.utf8.first == UInt8(ascii: "/") {
        paths.append(root + Self.directory(of: image.path) + "/" + link.path)
      }
    }
    for path in paths where access.status(of: path) != nil {
      guard let bytes = try? access.open(path), let file = try? ElfFile(bytes.bytes), file.buildID == wanted else { continue }
      return bytes
    }
    return nil
  }

  /// The package of split units beside the image: what it holds is chosen by IDs, so any file will do.
  func package(of image: ImageIdentity) -> ImageBytes? {
    guard image.path.utf8.first == UInt8(ascii: "/") else { return nil }
    for path in debugDirectories.map({ $0 + image.path + ".dwp" }) + roots.map({ $0 + image.path + ".dwp" })
    where access.status(of: path) != nil {
      if let bytes = try? access.open(path) { return bytes }
    }
    return nil
  }

  /// The file of a split unit where the compiler wrote it; its ID proves that it belongs.
  func splitFile(_ name: String, in directory: String) -> ImageBytes? {
    let path = name.utf8.first == UInt8(ascii: "/") ? name : directory + "/" + name
    guard path.utf8.first == UInt8(ascii: "/") else { return nil }
    for root in roots where access.status(of: root + path) != nil {
      if let bytes = try? access.open(root + path) { return bytes }
    }
    return nil
  }
}
