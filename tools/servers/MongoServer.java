import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.net.InetSocketAddress;
import java.util.List;

/** Speaks MongoDB's wire protocol. Arguments: port, and the file of the data if any. */
public class MongoServer {

    /** What clients are told: they ask for a newer protocol than the library claims. */
    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    }

    public static void main(String[] arguments) {
        MongoBackend backend =
            arguments.length > 1 ? new H2Backend(arguments[1]) : new MemoryBackend();
        backend.version(new Version());
        var server = new de.bwaldvogel.mongo.MongoServer(backend);
        // A SIGTERM must close the file, or what was written last is lost.
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
        server.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
    }
}
