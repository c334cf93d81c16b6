import Base
import Glibc
import Interpreters
import ObjectFile
import TraceFormat

/// Opens the file behind a mapping while there is still a way to it.
package protocol ImageOpener: AnyObject {
  /// - Returns: a descriptor that the caller closes, or `nil` when no way leads to the very file that is mapped.
  func open(process: UInt32, start: UInt64, end: UInt64, path: String, inode: UInt64) -> Int32?
}

/// Everything executable that was seen mapped, each file once, with its file held open until it is copied.
///
/// A file is opened when it is first seen, because a moment later it may be deleted and its process gone. It is
/// copied only when a sample hits it.
final class ImageTable {
  /// Files held open at once; above it the oldest that no sample has hit are closed.
  static let maximumOpen = 4096
  private static let maximumOpenAttempts = 16

  struct Key: Hashable {
    var device: UInt64
    var inode: UInt64
    var generation: UInt64
    /// For what has no inode: the path, and the process it belongs to.
    var path: String
    var process: UInt32
  }

  final class Image {
    let kind: ImageRecord.Kind
    let path: String
    let wasDeleted: Bool
    let key: Key
    /// -1 for none.
    var descriptor: Int32 = -1
    var handle: ImageHandle?
    var isWanted = false
    /// How often nobody found its file; the process that mapped it first may have ended too soon.
    var failedOpens = 0
    /// How to unwind its code; `nil` before anybody asked, and for memory without a file.
    var unwinding: UnwindImage?
    /// Whether it was looked into for interpreters, and the one it holds.
    var wasRecognised = false
    var python: PythonBinary?
    var layout: ImageLayout?

    init(kind: ImageRecord.Kind, path: String, wasDeleted: Bool, key: Key) {
      self.kind = kind
      self.path = path
      self.wasDeleted = wasDeleted
      self.key = key
    }
    deinit { closeFile() }

    func closeFile() {
      if descriptor >= 0 { _ = close(descriptor) }
      descriptor = -1
    }

    /// Hands the descriptor over to whoever copies the file.
    func takeDescriptor() -> Int32 {
      defer { descriptor = -1 }
      return descriptor
    }
  }

  private var images: [Key: Image] = [:]
  /// In the order they were opened.
  private var opened: [Image] = []
  private let opener: any ImageOpener
  private var nextHandle: UInt32 = 1
  /// Whether files stay open when they are copied, because the next segment needs its own copy.
  var keepsFiles = false
  /// Images that are remembered although nobody maps them: programs that run again and again are the same ones.
  static let maximumForgotten = 8192
  /// Told of each image when it is new, and again when its file was found later.
  var onNewImage: ((Image) -> Void)?

  init(opener: any ImageOpener) { self.opener = opener }

  /// The image of a mapping as `maps` or perf describes it; opened now if it is new.
  func image(process: UInt32, start: UInt64, byteCount: UInt64, path: String, device: UInt64, inode: UInt64, generation: UInt64)
    -> Image
  {
    let isDeleted = path.hasSuffix(" (deleted)")
    let name = isDeleted ? String(path.dropLast(10)) : path
    let kind = Self.kind(path: name, inode: inode)
    let key: Key
    switch kind {
    case .file: key = Key(device: device, inode: inode, generation: 0, path: "", process: 0)
    // Every process of the same bitness has the same one.
    case .vdso: key = Key(device: 0, inode: 0, generation: 0, path: name, process: 0)
    default: key = Key(device: 0, inode: 0, generation: 0, path: "//anon", process: process)
    }
    if let known = images[key] {
      // The number of a deleted file's inode is given again: another generation is another file.
      if kind != .file || generation == 0 || known.key.generation == 0 || known.key.generation == generation {
        if known.failedOpens > 0, known.failedOpens < Self.maximumOpenAttempts, !known.isWanted {
          open(known, process: process, start: start, byteCount: byteCount, name: name, inode: inode)
        }
        return known
      }
    }
    var fullKey = key
    fullKey.generation = generation
    let image = Image(kind: kind, path: kind == .anonymous ? "//anon" : name, wasDeleted: isDeleted, key: fullKey)
    images[key] = image
    if kind == .file { open(image, process: process, start: start, byteCount: byteCount, name: name, inode: inode) }
    if image.descriptor < 0 { onNewImage?(image) }
    return image
  }

  private func open(_ image: Image, process: UInt32, start: UInt64, byteCount: UInt64, name: String, inode: UInt64) {
    guard let descriptor = opener.open(process: process, start: start, end: start &+ byteCount, path: name, inode: inode)
    else {
      image.failedOpens += 1
      return
    }
    image.failedOpens = 0
    image.descriptor = descriptor
    opened.append(image)
    if opened.count > Self.maximumOpen { closeOldest() }
    onNewImage?(image)
  }

  func giveHandle(to image: Image) -> ImageHandle {
    if let handle = image.handle { return handle }
    let handle = ImageHandle(nextHandle)
    nextHandle += 1
    image.handle = handle
    return handle
  }

  /// What is known of an image without opening it.
  func record(of image: Image) -> ImageRecord {
    var record = ImageRecord(handle: giveHandle(to: image), kind: image.kind, path: image.path)
    record.wasDeleted = image.wasDeleted
    record.device = image.key.device
    record.inode = image.key.inode
    record.inodeGeneration = image.key.generation
    return record
  }

  /// Hands the image's file over to be copied.
  func request(for image: Image) -> ImageRequest {
    var descriptor: Int32 = -1
    if keepsFiles, image.descriptor >= 0 { descriptor = fcntl(image.descriptor, F_DUPFD_CLOEXEC, 0) }
    if descriptor < 0 { descriptor = image.takeDescriptor() }
    return ImageRequest(record: record(of: image), descriptor: descriptor, process: image.key.process)
  }

  /// Goes on in another segment, which knows no image yet. Memory without a file that is in no mapping any more is
  /// forgotten, and so are files when there are very many.
  func beginSegment(mapped: Set<ObjectIdentifier>) {
    nextHandle = 1
    let forgetsFiles = images.count > mapped.count + Self.maximumForgotten
    images = images.filter { _, image in
      image.handle = nil
      image.isWanted = false
      return mapped.contains(ObjectIdentifier(image)) || (image.kind != .anonymous && !forgetsFiles)
    }
    if forgetsFiles { opened.removeAll { !mapped.contains(ObjectIdentifier($0)) } }
  }

  private func closeOldest() {
    let oldest = opened.prefix(Self.maximumOpen / 4)
    for image in oldest where !image.isWanted { image.closeFile() }
    // With files that stay open, those of wanted images are closed in their turn.
    let stillOpen = oldest.filter { $0.descriptor >= 0 }
    opened.removeFirst(oldest.count)
    opened += stillOpen
  }

  /// perf writes `//anon` and `[heap]` where `maps` writes nothing or brackets; a System V segment is no file.
  private static func kind(path: String, inode: UInt64) -> ImageRecord.Kind {
    if path == "[vdso]" { return .vdso }
    if path.isEmpty || path.hasPrefix("//anon") || path.hasPrefix("[") || path.hasPrefix("/dev/zero")
      || path.hasPrefix("/SYSV") || path.hasPrefix("/anon_hugepage") || inode == 0
    {
      return .anonymous
    }
    return .file
  }
}
