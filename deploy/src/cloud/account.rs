//! What the look ahead asks an account. Every question can be refused: few may ask everything.

use std::future::Future;

use super::CloudResult;

/// A type of instance, as a region offers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceType {
    /// Architectures in EC2's words, such as `arm64` and `x86_64`.
    pub architectures: Vec<String>,
    /// Zones that offer it; empty when that is not known.
    pub zones: Vec<String>,
    /// Number of vCPUs; zero when that is not known.
    pub n_vcpus: u32,
}

/// A quota that a new account reaches soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    /// VPCs in a region.
    Vpcs,
    /// Elastic IP addresses in a region.
    Addresses,
    /// vCPUs of running on-demand instances of the standard families.
    Vcpus,
}

impl Quota {
    /// Service and quota code in Service Quotas.
    pub fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::Vpcs => ("vpc", "L-F678F1CE"),
            Self::Addresses => ("ec2", "L-0263D0A3"),
            Self::Vcpus => ("ec2", "L-1216C47A"),
        }
    }

    /// What it counts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vpcs => "VPCs",
            Self::Addresses => "Elastic IP addresses",
            Self::Vcpus => "vCPUs",
        }
    }
}

/// How much of a quota is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// What there is.
    pub used: f64,
    /// What there may be.
    pub limit: f64,
}

/// An account, as far as a look ahead asks it.
pub trait Account: Sync {
    /// Whether a resource of a type has a name already.
    fn is_taken(&self, kind: &str, name: &str) -> impl Future<Output = CloudResult<bool>> + Send;

    /// A type of instance; nothing when the region does not have it.
    fn instance_type(&self, name: &str) -> impl Future<Output = CloudResult<Option<InstanceType>>> + Send;

    /// How much of a quota is used.
    fn usage(&self, quota: Quota) -> impl Future<Output = CloudResult<Usage>> + Send;

    /// The architectures that an image is built for, in Docker's words; empty when that is not known.
    /// [`crate::cloud::CloudError::NotFound`] when there is no such image.
    fn architectures(&self, image: &str) -> impl Future<Output = CloudResult<Vec<String>>> + Send;

    /// Whether a service-linked role exists.
    fn has_service_role(&self, role: &str) -> impl Future<Output = CloudResult<bool>> + Send;
}
