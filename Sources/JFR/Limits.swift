/// What is refused rather than allocated for; real recordings stay far below.
enum Limits {
  /// JDK's metadata takes about 100 KB; every event class of an application adds some hundred bytes.
  static let metadataBytes = 16 << 20
  static let metadataStrings = 1 << 20
  static let metadataElements = 1 << 20
  /// Elements inside one another; real ones stay at 5.
  static let metadataDepth = 16
  /// Steps that one record's layout takes, structures inside it laid out flat.
  static let planSteps = 4096
  /// Structures inside one another.
  static let planDepth = 16
  /// Entries of the wanted constant pools of one chunk.
  static let poolEntries = 4 << 20
  /// Frames of one stack; agents stop at 2,048, the JDK at the depth it was told.
  static let arrayElements = 1 << 16
  /// Bytes of one text.
  static let textBytes = 1 << 20
}
