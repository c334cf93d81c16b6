import Base
import ObjectFile

/// The files that debug information refers to: of `dwz`, and split units. Looked for where the image's own debug file is: the
/// `--debug-directory`s, then under the sysroot, as a recorded process sees it, and on this machine.
extension ImageLocator {
  private func roots(of image: ImageIdentity) -> [String] { (sysroot.map { [$0] } ?? []) + processRoots(image) + [""] }

  /// The file of `dwz`; only with the build ID that the link states. Servers are asked last.
  func alternate(_ link: ElfDebugAltLink, of image: ImageIdentity, _ steps: inout [LocatorStep]) -> ImageBytes? {
    var search = Search(access: access)
    search.wanted = link.buildID
    defer { steps += search.steps }
    guard let wanted = link.buildID else { return nil }
    let byID = Self.path(of: wanted)
    for directory in debugDirectories {
      if let found = search.byBuildID(.companionFile, directory + "/" + byID) { return found }
    }
    for root in roots(of: image) {
      if let found = search.byBuildID(.companionFile, "/usr/lib/debug/" + byID, below: root) { return found }
      if link.path.utf8.first == UInt8(ascii: "/") {
        if let found = search.byBuildID(.companionFile, link.path, below: root) { return found }
      } else if image.path.utf8.first == UInt8(ascii: "/") {
        // Counted from the debug file's own place or from the image's, by what wrote it.
        for directory in [Self.directory(of: image.path), "/usr/lib/debug" + Self.directory(of: image.path)] {
          if let found = search.byBuildID(.companionFile, directory + "/" + link.path, below: root) { return found }
        }
      }
    }
    return remote.flatMap { search.ask($0, .debugFile, wanted) }
  }

  /// The package of split units beside the image or its debug file: what it holds is chosen by IDs, so any file will do. Servers
  /// know none: it has no build ID.
  func package(of image: ImageIdentity) -> ImageBytes? {
    guard image.path.utf8.first == UInt8(ascii: "/") else { return nil }
    for path in debugDirectories.map({ $0 + image.path + ".dwp" }) where access.status(of: path) != nil {
      if let bytes = try? access.open(path) { return bytes }
    }
    for root in roots(of: image) {
      for path in [image.path + ".dwp", "/usr/lib/debug" + image.path + ".dwp"] where access.status(of: path, below: root) != nil {
        if let bytes = try? access.open(path, below: root) { return bytes }
      }
    }
    return nil
  }

  /// The file of a split unit where the compiler wrote it; its ID proves that it belongs.
  func splitFile(_ name: String, in directory: String, of image: ImageIdentity) -> ImageBytes? {
    let path = name.utf8.first == UInt8(ascii: "/") ? name : directory + "/" + name
    guard path.utf8.first == UInt8(ascii: "/") else { return nil }
    for root in roots(of: image) where access.status(of: path, below: root) != nil {
      if let bytes = try? access.open(path, below: root) { return bytes }
    }
    return nil
  }
}
