import Base
import ObjectFile

/// Finds an image's bytes and the separate debug file that belongs to it, as gdb does (gdb manual, "Separate Debug Files").
///
/// A file is used only when it is proven to belong: equal build IDs, or the CRC of the link that names it. What was looked
/// at and not used stands in the steps.
package struct ImageLocator: Sendable {
  /// Searched in order, before the system's own places.
  package var debugDirectories: [String]
  /// Put before every system path and tried first.
  package var sysroot: String?
  /// The root directories of recorded processes that still live, by which an image's path means what it did; absolute, without
  /// a slash at the end. Tried after `sysroot`, before this machine's own.
  package var processRoots: @Sendable (ImageIdentity) -> [String]
  /// Asked when nothing on this machine has an image's debug file.
  package var remote: (any RemoteDebugFiles)?
  /// Whether `remote` is asked for the files of kernels and their modules, too.
  package var asksForKernels = false
  package var access: any DebugFileAccess
  /// The copy in the trace; `nil` when there is none or it is not whole.
  package var recordedCopy: @Sendable (ImageIdentity) -> ImageBytes?

  package init(
    debugDirectories: [String] = [], sysroot: String? = nil, access: any DebugFileAccess = MappedFileAccess(),
    recordedCopy: @escaping @Sendable (ImageIdentity) -> ImageBytes? = { _ in nil },
    processRoots: @escaping @Sendable (ImageIdentity) -> [String] = { _ in [] }, remote: (any RemoteDebugFiles)? = nil
  ) {
    self.debugDirectories = debugDirectories.map(Self.withoutTrailingSlash)
    self.sysroot = sysroot.map(Self.withoutTrailingSlash)
    self.access = access
    self.processRoots = processRoots
    self.remote = remote
    self.recordedCopy = recordedCopy
  }

  /// - Throws: when a directory the user named cannot be searched, which would otherwise look like missing files.
  package func checkDirectories() throws(SymbolizeError) {
    for path in debugDirectories + (sysroot.map { [$0] } ?? []) {
      do throws(SystemCallError) {
        try access.checkDirectory(path)
      } catch {
        throw .unusableDirectory(path: path, cause: error)
      }
    }
  }

  /// What was found for one image.
  package struct Located: Sendable {
    /// The recorded copy, or the original file when it is still the same.
    package var image: ImageBytes?
    package var debugFile: ImageBytes?
    /// Of the image, for messages.
    var path = ""
    /// In the order things were tried.
    package var steps: [LocatorStep]
  }

  package func locate(_ identity: ImageIdentity) -> Located {
    var search = Search(access: access)
    search.wanted = identity.buildID
    var image: ImageBytes?
    // Under the sysroot, as a recorded process sees it, on this machine.
    let roots = (sysroot.map { [$0] } ?? []) + processRoots(identity) + [""]
    if identity.kind != .anonymous, let copy = recordedCopy(identity) {
      image = copy
      search.steps.append(LocatorStep(place: .recordedCopy, path: identity.path, outcome: .used))
    } else {
      search.steps.append(LocatorStep(place: .recordedCopy, path: identity.path, outcome: .notFound))
      if identity.kind == .file || identity.kind == .kernelModule, identity.path.utf8.first == UInt8(ascii: "/") {
        for root in roots where image == nil { image = search.original(identity, below: root) }
      }
    }
    var link: ElfDebugLink?
    var hasDebugInfo = false
    if let image {
      do throws(MalformedInput) {
        let file = try ElfFile(image.bytes)
        if search.wanted == nil { search.wanted = file.buildID }
        hasDebugInfo = file.section(named: ".debug_info").map { $0.section.kind != .noBits } ?? false
        link = try file.debugLink()
      } catch {
        search.steps.append(LocatorStep(place: .recordedCopy, path: identity.path, outcome: .malformed(error)))
      }
    }
    guard identity.kind == .file || identity.kind == .kernelModule else {
      return Located(image: image, debugFile: nil, path: identity.path, steps: search.steps)
    }
    var debugFile = findDebugFile(identity, link, roots, &search)
    // What is whole in itself has nothing to gain from afar.
    if debugFile == nil, !hasDebugInfo, let remote, let buildID = search.wanted {
      debugFile = search.ask(remote, .debugFile, buildID)
      if debugFile == nil, image == nil { image = search.ask(remote, .executable, buildID) }
    }
    return Located(image: image, debugFile: debugFile, path: identity.path, steps: search.steps)
  }

  /// The file at its own path when it is still the one that was recorded: for what a recorded copy leaves out.
  func original(_ identity: ImageIdentity) -> ImageBytes? {
    guard identity.kind == .file, identity.path.utf8.first == UInt8(ascii: "/") else { return nil }
    var search = Search(access: access)
    for root in (sysroot.map { [$0] } ?? []) + processRoots(identity) + [""] {
      if let found = search.original(identity, below: root) { return found }
    }
    return nil
  }

  private func findDebugFile(
    _ identity: ImageIdentity, _ link: ElfDebugLink?, _ roots: [String], _ search: inout Search
  ) -> ImageBytes? {
    let isAbsolute = identity.path.utf8.first == UInt8(ascii: "/")
    let directory = isAbsolute ? Self.directory(of: identity.path) : ""
    var name: String?
    if let link {
      if Self.isPlainName(link.fileName) {
        name = link.fileName
      } else {
        search.steps.append(LocatorStep(place: .debugLink, path: link.fileName, outcome: .mismatch(.unsafeName)))
      }
    }
    let buildIDPath = search.wanted.map(Self.path(of:))
    for root in debugDirectories {
      if let buildIDPath, let found = search.byBuildID(.debugDirectoryBuildID, root + "/" + buildIDPath) { return found }
      if let name, let link, let found = search.byLink(.debugDirectoryName, root + directory + "/" + name, link.crc) { return found }
      if isAbsolute, let found = search.byName(.debugDirectoryName, root + identity.path + ".debug", link?.crc) { return found }
      if let name, let link, !directory.isEmpty,
        let found = search.byLink(.debugDirectoryName, root + "/" + name, link.crc)
      {
        return found
      }
    }
    for root in roots {
      if let buildIDPath, let found = search.byBuildID(.globalBuildID, "/usr/lib/debug/" + buildIDPath, below: root) { return found }
      guard let name, let link, isAbsolute else { continue }
      for place in [directory, directory + "/.debug", "/usr/lib/debug" + directory] {
        // A file whose link names itself is no debug file.
        let path = place + "/" + name
        if path == identity.path { continue }
        if let found = search.byLink(.debugLink, path, link.crc, below: root) { return found }
      }
    }
    return nil
  }

  /// The paths tried so far and what each of them gave.
  struct Search {
    let access: any DebugFileAccess
    var wanted: BuildID?
    var steps: [LocatorStep] = []

    init(access: any DebugFileAccess) { self.access = access }

    private mutating func note(_ place: LocatorStep.Place, _ path: String, _ outcome: LocatorStep.Outcome) {
      steps.append(LocatorStep(place: place, path: path, outcome: outcome))
    }

    private mutating func open(_ place: LocatorStep.Place, _ path: String, below root: String) -> ImageBytes? {
      guard access.status(of: path, below: root) != nil else {
        note(place, root + path, .notFound)
        return nil
      }
      do throws(SystemCallError) {
        return try access.open(path, below: root)
      } catch {
        note(place, root + path, .unreadable(error))
        return nil
      }
    }

    /// The build ID of an opened file; `nil` when it has none. Notes a file that cannot be parsed and says so.
    private mutating func buildID(of file: ImageBytes, _ place: LocatorStep.Place, _ path: String) -> BuildID?? {
      do throws(MalformedInput) {
        return .some(try ElfFile(file.bytes).buildID)
      } catch {
        note(place, path, .malformed(error))
        return nil
      }
    }

    /// What `remote` gives, with what it tried.
    mutating func ask(_ remote: any RemoteDebugFiles, _ kind: RemoteFileKind, _ buildID: BuildID) -> ImageBytes? {
      let answer = remote.find(kind, of: buildID)
      steps += answer.steps
      return answer.file
    }

    mutating func byBuildID(_ place: LocatorStep.Place, _ name: String, below root: String = "") -> ImageBytes? {
      let path = root + name
      guard let wanted, let file = open(place, name, below: root), let found = buildID(of: file, place, path) else { return nil }
      guard let found else {
        note(place, path, .mismatch(.unproven))
        return nil
      }
      guard found == wanted else {
        note(place, path, .mismatch(.buildID(wanted: wanted, found: found)))
        return nil
      }
      note(place, path, .used)
      return file
    }

    mutating func byLink(_ place: LocatorStep.Place, _ name: String, _ crc: UInt32, below root: String = "") -> ImageBytes? {
      let path = root + name
      guard let file = open(place, name, below: root), let found = buildID(of: file, place, path) else { return nil }
      if let wanted, let found, found != wanted {
        note(place, path, .mismatch(.buildID(wanted: wanted, found: found)))
        return nil
      }
      let actual = CRC32.of(file.bytes)
      guard actual == crc else {
        note(place, path, .mismatch(.crc(wanted: crc, found: actual)))
        return nil
      }
      note(place, path, .used)
      return file
    }

    /// A file whose name alone says that it may belong: equal build IDs or the link's CRC must prove it.
    mutating func byName(_ place: LocatorStep.Place, _ name: String, _ crc: UInt32?, below root: String = "") -> ImageBytes? {
      let path = root + name
      guard let file = open(place, name, below: root), let found = buildID(of: file, place, path) else { return nil }
      if let wanted, let found {
        guard wanted == found else {
          note(place, path, .mismatch(.buildID(wanted: wanted, found: found)))
          return nil
        }
        note(place, path, .used)
        return file
      }
      guard let crc else {
        note(place, path, .mismatch(.unproven))
        return nil
      }
      let actual = CRC32.of(file.bytes)
      guard actual == crc else {
        note(place, path, .mismatch(.crc(wanted: crc, found: actual)))
        return nil
      }
      note(place, path, .used)
      return file
    }

    /// The file itself, when it is still the one that was recorded.
    mutating func original(_ identity: ImageIdentity, below root: String) -> ImageBytes? {
      let path = root + identity.path
      guard let status = access.status(of: identity.path, below: root) else {
        note(.originalFile, path, .notFound)
        return nil
      }
      let isUntouched =
        identity.byteCount != 0 && identity.modified != 0 && status.byteCount == identity.byteCount
        && status.modified == identity.modified
      if identity.buildID == nil, !isUntouched {
        let isKnown = identity.byteCount != 0 || identity.modified != 0
        note(.originalFile, path, .mismatch(isKnown ? .changed : .unproven))
        return nil
      }
      let file: ImageBytes
      do throws(SystemCallError) {
        file = try access.open(identity.path, below: root)
      } catch {
        note(.originalFile, path, .unreadable(error))
        return nil
      }
      if let wanted = identity.buildID {
        guard let found = buildID(of: file, .originalFile, path) else { return nil }
        guard found == wanted else {
          note(.originalFile, path, .mismatch(found.map { .buildID(wanted: wanted, found: $0) } ?? .changed))
          return nil
        }
      }
      note(.originalFile, path, .used)
      return file
    }
  }

  /// `.build-id/ab/cdef….debug`.
  static func path(of buildID: BuildID) -> String {
    let hex = buildID.hex
    return ".build-id/" + hex.prefix(2) + "/" + hex.dropFirst(2) + ".debug"
  }

  /// Whether a link's file name is one: a hostile one must not lead out of the directory.
  static func isPlainName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0)
  }

  /// Of an absolute path, without the last slash; empty for what lies in the root.
  static func directory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return String(path[..<slash])
  }

  private static func withoutTrailingSlash(_ path: String) -> String {
    var path = path
    while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
    return path
  }
}
