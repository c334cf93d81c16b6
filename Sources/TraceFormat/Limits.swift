/// The largest values a reader believes. A writer stays below them, so that what is above is damage.
public enum Limits {
  /// Bytes of records in one data frame.
  public static let frameContentByteCount = 1 << 20
  /// Bytes of one data frame as it lies in the file: content that did not shrink, and the framing around it.
  public static let frameByteCount = frameContentByteCount + 4096
  /// Bytes of one record's payload: with its kind and length it must fit into one frame.
  public static let recordByteCount = frameContentByteCount - 16
  /// Samples in all records of one frame. Constant columns take no space, so their count needs a limit of its own.
  public static let samplesPerFrame = 1 << 18
  /// New stack nodes, and new stacks, in all records of one frame.
  public static let nodesPerFrame = 1 << 19
  /// Bytes of one name, path or label.
  public static let textByteCount = 1 << 16
  /// Bytes of all arguments of one command line; a longer one is cut.
  public static let commandLineByteCount = 1 << 16
  /// Entries in one list inside a record: namespaces, program headers, inlined frames, labels.
  public static let listCount = 1 << 16
  /// Bytes of the line table of one piece of code.
  public static let lineTableByteCount = 1 << 18
  /// Payload of the header's frame.
  public static let headerByteCount = 1 << 20
  /// Payload of the index: enough for a million frames.
  public static let indexByteCount = 1 << 26
  /// Registers of one thread by number.
  public static let registerCount = 32
  /// Bytes of one stack that are copied.
  public static let stackCopyByteCount = 1 << 16
  /// Nodes from a leaf to its root. A recorder stores at most 1,024 frames a stack, and with an interpreter's frames less than 8,192.
  public static let stackDepth = 8192 + 1
}
