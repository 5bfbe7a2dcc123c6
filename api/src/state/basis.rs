//! What a request is answered by, as of when it began.
//!
//! Configuration, schema cache and everything that is remembered because of them are one value, replaced
//! whole. So nothing that was made of an old configuration can turn up under a new one: it is remembered in
//! what belongs to the old one, which goes with the last request that began under it. And a reload holds
//! for every request that begins after it.

use std::sync::Arc;

use crate::auth::Verifier;
use crate::config::AppConfig;
use crate::plan_cache::PlanCache;
use crate::schema_cache::SchemaCache;

/// A configuration, a schema cache, and what was made of them.
pub struct Basis {
    /// The configuration.
    pub conf: Arc<AppConfig>,
    /// Tokens that its keys have verified.
    pub verifier: Arc<Verifier>,
    /// The schema cache with its plans; none before the first load.
    pub plans: Option<PlanCache>,
}

impl Basis {
    /// Nothing was read from the database yet.
    pub fn new(conf: AppConfig) -> Self {
        let conf = Arc::new(conf);
        Self { verifier: Arc::new(Verifier::new(Arc::clone(&conf))), conf, plans: None }
    }

    /// The same schema under another configuration.
    pub fn with_conf(&self, conf: &Arc<AppConfig>) -> Self {
        // What says the same of every token may go on saying it.
        let verifier = match self.verifier.serves(conf) {
            true => Arc::clone(&self.verifier),
            false => Arc::new(Verifier::new(Arc::clone(conf))),
        };
        let plans = self.plans.as_ref().map(|it| it.renewed(Arc::clone(conf), Arc::clone(it.cache())));
        Self { conf: Arc::clone(conf), verifier, plans }
    }

    /// Another schema under the same configuration.
    pub fn with_schema(&self, cache: &Arc<SchemaCache>) -> Self {
        let (conf, cache) = (Arc::clone(&self.conf), Arc::clone(cache));
        let plans = match &self.plans {
            Some(earlier) => earlier.renewed(conf, cache),
            None => PlanCache::new(conf, cache),
        };
        Self { conf: Arc::clone(&self.conf), verifier: Arc::clone(&self.verifier), plans: Some(plans) }
    }
}
