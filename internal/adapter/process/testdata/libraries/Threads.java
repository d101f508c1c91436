import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.ArrayList;
import java.util.List;

/** Threads, garbage, code that is worth compiling, and a process. */
public class Threads {
    static long work(int seed) {
        long sum = seed;
        for (int i = 0; i < 2_000_000; i++) {
            sum = sum * 31 + new int[] {i}[0];
        }
        return sum;
    }

    public static void main(String[] args) throws Exception {
        var pool = Executors.newFixedThreadPool(8);
        List<Future<Long>> all = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            int seed = i % 2;
            all.add(pool.submit(() -> work(seed)));
        }
        for (int i = 0; i < 32; i++) {
            if (!all.get(i).get().equals(all.get(i % 2).get())) {
                throw new IllegalStateException("result " + i);
            }
        }
        pool.shutdown();
        if (new ProcessBuilder("true").start().waitFor() != 0) {
            throw new IllegalStateException("process");
        }
        System.out.println("java " + System.getProperty("java.version") + " works");
    }
}
