# java: a class that reads and writes files, starts threads and a process, and maps memory.
needs java
workload() {
  export JAVA_TOOL_OPTIONS="-Xmx256m -XX:-UsePerfData"
  java -version 2>&1 | grep -c -i runtime
  if [ ! -e "$PROGRAM_DATA/T.class" ] && ! command -v javac >/dev/null; then return 0; fi
  cat > T.java <<'JAVA'
import java.io.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class T {
  public static void main(String[] args) throws Exception {
    Path dir = Files.createDirectories(Path.of("d/e"));
    Path file = Files.writeString(dir.resolve("f"), "text\nlines\n");
    System.out.println(Files.readAllLines(file).size() + " " + Files.size(file));
    Files.move(file, Path.of("d/g"));
    Files.createSymbolicLink(Path.of("d/l"), Path.of("g"));
    System.out.println(Files.readString(Path.of("d/l")).length());
    ExecutorService pool = Executors.newFixedThreadPool(8);
    var futures = IntStream.range(0, 100).mapToObj(i -> pool.submit(() -> Files.writeString(Path.of("d/n" + i), "" + i))).toList();
    for (var future : futures) future.get();
    pool.shutdown();
    try (Stream<Path> paths = Files.walk(Path.of("d"))) { System.out.println(paths.count()); }
    Process process = new ProcessBuilder("echo", "child").start();
    System.out.println(new BufferedReader(new InputStreamReader(process.getInputStream())).readLine() + " " + process.waitFor());
    try (FileChannel channel = FileChannel.open(Path.of("d/map"), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      channel.map(FileChannel.MapMode.READ_WRITE, 0, 4096).put(0, (byte) 'm');
      System.out.println(channel.size() + " " + (channel.tryLock() != null));
    }
    try { Files.readString(Path.of("missing")); } catch (NoSuchFileException e) { System.out.println("missing"); }
    System.out.println(Runtime.getRuntime().availableProcessors() > 0);
  }
}
JAVA
  unset JAVA_TOOL_OPTIONS
  java -Xmx256m -XX:-UsePerfData T.java
}
