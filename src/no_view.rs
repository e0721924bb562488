//! Without the feature `view` nobody watches: an executor is built as the builder says.

use std::env;
use std::io::{self, Write};
use std::sync::Once;

use crate::builder::Builder;

pub(crate) fn watched(builder: Builder) -> Builder {
    // Once, for a look at the environment costs as much as the executor.
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        if env::var_os("WATCHGLASS").is_some_and(|views| !views.is_empty()) {
            // Nobody may be there to read it.
            let _ = writeln!(
                io::stderr(),
                "watchglass: WATCHGLASS is set, and shows nothing: the program was built without \
                 watchglass's feature `view`; it is `watchglass = {{ .., features = [\"view\"] }}` \
                 in Cargo.toml"
            );
        }
    });
    builder
}
