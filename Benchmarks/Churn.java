/** Fills a flight recording: threads that allocate at stacks of many shapes, each new TLAB an event. */
public class Churn {
  static volatile Object kept;

  static void allocate(int depth, int shape) {
    if (depth == 0) {
      switch (shape & 3) {
        case 0: kept = new byte[64 + shape]; break;
        case 1: kept = new int[16 + shape]; break;
        case 2: kept = new StringBuilder().append(shape); break;
        default: kept = new Object[8 + shape];
      }
      return;
    }
    if ((shape >> (depth & 7) & 1) == 0) left(depth - 1, shape); else right(depth - 1, shape);
  }
  static void left(int depth, int shape) { allocate(depth, shape); }
  static void right(int depth, int shape) { allocate(depth, shape); }

  public static void main(String[] arguments) throws InterruptedException {
    long end = System.nanoTime() + (long) (Double.parseDouble(arguments[0]) * 1e9);
    Thread[] threads = new Thread[4];
    for (int number = 0; number < threads.length; number++) {
      int own = number;
      threads[number] = new Thread(() -> {
        for (int round = own; System.nanoTime() < end; round++)
          for (int shape = 0; shape < 256; shape++) allocate(3 + (round + shape) % 12, shape);
      }, "churn-" + number);
      threads[number].start();
    }
    for (Thread thread : threads) thread.join();
  }
}
