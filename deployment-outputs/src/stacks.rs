//! What the stacks of the hybrid deployment say.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_session::error::{CloudError, CloudResult, sorted};

/// A stack that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stack {
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// The parameters that it was made with.
    pub parameters: BTreeMap<String, String>,
}

/// The stacks of an account in one region.
#[derive(Debug, Clone)]
pub struct Stacks {
    client: Client,
}

impl Stacks {
    /// With the configuration that every AWS tool reads.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// A stack by its name; nothing where there is none.
    ///
    /// # Errors
    /// When CloudFormation cannot be asked.
    pub async fn find(&self, name: &str) -> CloudResult<Option<Stack>> {
        let answer = match self.client.describe_stacks().stack_name(name).send().await.map_err(sorted) {
            Ok(answer) => answer,
            Err(CloudError::NotFound(_)) => return Ok(None),
            Err(err) => return Err(err),
        };
        let pair = |key: Option<&str>, value: Option<&str>| Some((key?.to_owned(), value?.to_owned()));
        Ok(answer.stacks().first().map(|it| Stack {
            outputs: it.outputs().iter().filter_map(|it| pair(it.output_key(), it.output_value())).collect(),
            parameters: it
                .parameters()
                .iter()
                .filter_map(|it| pair(it.parameter_key(), it.parameter_value()))
                .collect(),
        }))
    }
}
