// How many records a second avro-random-generator makes and encodes on one thread.
//
// A schema's file is the argument. Each line on stdin asks for one more measurement of about a second;
// its answer is a line with the records and the nanoseconds that the thread was on a processor.

import io.confluent.avro.random.generator.Generator;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;

public class Rate {
    private static final long SECOND_NS = 1_000_000_000L;

    public static void main(String[] arguments) throws Exception {
        Schema schema = new Schema.Parser().parse(new File(arguments[0]));
        Generator generator = new Generator.Builder().schema(schema).random(new Random(1)).build();
        GenericDatumWriter<Object> writer = new GenericDatumWriter<>(schema);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(1 << 20);
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
        ThreadMXBean thread = ManagementFactory.getThreadMXBean();
        BufferedReader asked = new BufferedReader(new InputStreamReader(System.in));
        while (asked.readLine() != null) {
            long records = 0;
            long length = 0;
            long begin = thread.getCurrentThreadCpuTime();
            long spent = 0;
            while (spent < SECOND_NS) {
                bytes.reset();
                for (int record = 0; record < 1000; record++) {
                    writer.write(generator.generate(), encoder);
                }
                encoder.flush();
                length += bytes.size();
                records += 1000;
                spent = thread.getCurrentThreadCpuTime() - begin;
            }
            System.out.println(records + " " + spent + " " + length);
            System.out.flush();
        }
    }
}
