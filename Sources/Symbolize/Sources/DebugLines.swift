import Base
package import DebugInfo
import ObjectFile

extension ImageBytes: SharedBytes {
  package var fileNumbers: FileNumbers? { stamp.map { FileNumbers(device: $0.device, inode: $0.inode) } }
}

/// Lines and inlined functions from the debug information of one image.
struct DebugLines {
  private let bytes: ImageBytes
  /// Of the image, for messages.
  private let path: String
  /// Opened only when something is asked that is not kept.
  private let open: (inout [LocatorStep]) -> DebugFile?
  private var opened: DebugFile?
  private var kept: Kept?
  private var shared: Shared?

  /// A debug file that stays open.
  private struct Shared {
    var images: OpenedImages
    var key: OpenedImages.Key
    var opened: OpenedDebugFile
    var openSplit: @Sendable (SplitRequest) -> (any SharedBytes)?
  }

  /// Where answers are kept, and those that are.
  private struct Kept {
    var store: any PreparedLineStore
    var name: String
    var bytes: ImageBytes?
    var frames: PreparedFrames?

    var key: [UInt8] { Array(name.utf8) }

    init(_ store: any PreparedLineStore, _ name: String) {
      self.store = store
      self.name = name
      guard let bytes = store.open(name), let frames = PreparedFrames(bytes, key: key) else { return }
      self.bytes = bytes
      self.frames = frames
    }
  }

  /// The file was cut short while it was read.
  var isDamaged: Bool { bytes.isDamaged }

  /// - Parameters:
  ///   - candidates: where the debug information may be, best first: the first that has any is used.
  ///   - locator: finds the files that it refers to.
  ///   - steps: gets what was looked for, and what could not be read: damaged debug information costs the lines, not the names.
  init?(
    _ candidates: [ImageBytes], _ image: ImageIdentity, _ locator: ImageLocator, _ prepared: PreparedLines?,
    _ images: OpenedImages?, workers: Int, steps: inout [LocatorStep]
  ) {
    for bytes in candidates {
      guard let file = try? ElfFile(bytes.bytes), file.hasDebugInformation else { continue }
      let link = (try? file.debugAltLink()).flatMap { $0 }
      let package = locator.package(of: image)
      let openSplit: @Sendable (SplitRequest) -> (any SharedBytes)? = { locator.splitFile($0.name, in: $0.directory, of: image) }
      // Of other files nobody knows whether they are the same the next time.
      if link == nil, package == nil, let images, let stamp = bytes.identity,
        DebugFile.inflatedByteCount(of: file) <= OpenedImages.maximumFileByteCount
      {
        guard let opened = Self.shared(bytes, image, images, .lines(stamp), workers: workers, steps: &steps) else { continue }
        self.bytes = bytes
        path = image.path
        open = { _ in nil }
        shared = Shared(images: images, key: .lines(stamp), opened: opened, openSplit: openSplit)
        return
      }
      let open: (inout [LocatorStep]) -> DebugFile? = { steps in
        var alternate: DebugFile?
        if let found = link.flatMap({ locator.alternate($0, of: image, &steps) }) {
          do throws(MalformedInput) {
            alternate = try DebugFile(found, workers: workers, streamsFrom: .max)
          } catch {
            steps.append(Self.problem(error, found.path ?? image.path))
          }
        }
        do throws(MalformedInput) {
          return try DebugFile(bytes, alternate: alternate, package: package, workers: workers, openSplit: openSplit)
        } catch {
          steps.append(Self.problem(error, image.path))
          return nil
        }
      }
      // What other files say is not kept: they may be others the next time.
      var kept: Kept?
      if link == nil, package == nil, let prepared, let name = prepared.name(of: bytes) { kept = Kept(prepared.store, name) }
      // What answers are kept of had units when they were made.
      let opened = kept?.frames == nil ? open(&steps) : nil
      guard kept?.frames != nil || opened?.hasUnits == true else { continue }
      self.bytes = bytes
      path = image.path
      self.open = open
      self.opened = opened
      self.kept = kept
      return
    }
    return nil
  }

  /// A file that is open already, or is opened now; `nil` when it has no units.
  private static func shared(
    _ bytes: ImageBytes, _ image: ImageIdentity, _ images: OpenedImages, _ key: OpenedImages.Key, workers: Int,
    steps: inout [LocatorStep]
  ) -> OpenedDebugFile? {
    if case .lines(let known) = images.take(key) { return known }
    do throws(MalformedInput) {
      let opened = try OpenedDebugFile(bytes, workers: workers)
      return opened.file.hasUnits ? opened : nil
    } catch {
      steps.append(problem(error, image.path))
      return nil
    }
  }

  /// Gives `body` the frames of each address, innermost first, with its number; of those that have none nothing.
  /// - Parameter addresses: in ascending order.
  mutating func forEach(
    _ addresses: [UInt64], workers: Int, steps: inout [LocatorStep], _ body: (Int, [DebugFrame]) -> Void
  ) {
    if let shared { return ask(shared, addresses, workers: workers, steps: &steps, body) }
    let missing = giveKept(addresses, body)
    guard !missing.isEmpty, let file = opened ?? open(&steps) else { return }
    opened = file
    let asked = missing.map { addresses[$0] }
    guard let kept else {
      let frames = file.frames(at: asked, workers: workers)
      note(frames.problem, &steps)
      var search = frames.search()
      for (place, index) in missing.enumerated() { body(index, search.frames(at: place)) }
      return
    }
    let (frames, batch) = file.preparedFrames(at: asked, workers: workers)
    note(frames.problem, &steps)
    var search = frames.search()
    for (place, index) in missing.enumerated() { body(index, search.frames(at: place)) }
    guard !isDamaged, let made = batch?.bytes(key: kept.key, keeping: kept.frames) else { return }
    kept.store.keep(made, as: kept.name)
  }

  private func ask(
    _ shared: Shared, _ addresses: [UInt64], workers: Int, steps: inout [LocatorStep], _ body: (Int, [DebugFrame]) -> Void
  ) {
    let (frames, askedOthers) = shared.opened.ask(openingSplits: shared.openSplit) { $0.frames(at: addresses, workers: workers) }
    note(frames.problem, &steps)
    let file = shared.opened.bytes
    guard !file.isDamaged else { return }
    var search = frames.search()
    for index in addresses.indices { body(index, search.frames(at: index)) }
    if !askedOthers { shared.images.keep(.lines(shared.opened), as: shared.key, files: [file]) }
  }

  private func note(_ problem: MalformedInput?, _ steps: inout [LocatorStep]) {
    if let problem { steps.append(Self.problem(problem, path)) }
  }

  private static func problem(_ problem: MalformedInput, _ path: String) -> LocatorStep {
    LocatorStep(place: .companionFile, path: path + ", debug information", outcome: .malformed(problem))
  }

  /// Gives the frames that are kept; the numbers of the other addresses.
  private func giveKept(_ addresses: [UInt64], _ body: (Int, [DebugFrame]) -> Void) -> [Int] {
    guard let frames = kept?.frames, let bytes = kept?.bytes else { return Array(addresses.indices) }
    var search = frames.search()
    let found = addresses.map { search.frames(at: $0) }
    // Cut short while it was read.
    guard !bytes.isDamaged else { return Array(addresses.indices) }
    var missing: [Int] = []
    for (index, frames) in found.enumerated() {
      if let frames { body(index, frames) } else { missing.append(index) }
    }
    return missing
  }
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
    let found =
      DebugLines(candidates, image, locator, prepared, opened, workers: workers, steps: &answer.steps)
      ?? (located.debugFile == nil ? locator.original(image) : nil).flatMap {
        DebugLines([$0], image, locator, prepared, opened, workers: workers, steps: &answer.steps)
      }
    guard var lines = found else { return }
    let order = addresses.indices.sorted { (addresses[$0].rawValue, $0) < (addresses[$1].rawValue, $1) }
    let before = answer.symbolizations
    var named = before
    lines.forEach(order.map { addresses[$0].rawValue }, workers: workers, steps: &answer.steps) { place, frames in
      guard !frames.isEmpty else { return }
      let index = order[place]
      var name: String?
      if case .frames(let known) = before[index] { name = known.last?.function }
      named[index] = DebugLines.merged(frames, name, showsInlines: showsInlines) ?? named[index]
    }
    if !lines.isDamaged { answer.symbolizations = named }
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
