//! A finding, and what helps against it on each platform.

use crate::workspace;

/// What something is needed for; the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `up`: the main job.
    Up,
    /// `ci` and `test`.
    Checks,
    /// `deploy`, `tf`, `lambda`, `publish`.
    Deployments,
}

impl Purpose {
    pub(super) const ALL: [Self; 3] = [Self::Up, Self::Checks, Self::Deployments];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Checks => "checks",
            Self::Deployments => "deployments",
        }
    }

    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::Up => "to run the local stack",
            Self::Checks => "to check a change",
            Self::Deployments => "to deploy",
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Something is missing that the main job does without.
    Note,
    /// The main job does not work.
    Problem,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// A kind of machine, by what installs software there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Platform {
    Debian,
    Fedora,
    MacOs,
}

impl Platform {
    /// This machine's; nothing when it is not a known one.
    pub(super) fn of_this_machine() -> Option<Self> {
        if cfg!(target_os = "macos") {
            return Some(Self::MacOs);
        }
        [("apt-get", Self::Debian), ("dnf", Self::Fedora)]
            .into_iter()
            .find(|(program, _)| workspace::find_program(&[program]).is_some())
            .map(|(_, platform)| platform)
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// The same everywhere.
    Everywhere(String),
    /// A command for each platform.
    ByPlatform { debian: String, fedora: String, macos: String },
}

impl Fix {
    pub(super) fn everywhere(text: impl Into<String>) -> Self {
        Self::Everywhere(text.into())
    }

    pub(super) fn by_platform(
        debian: impl Into<String>,
        fedora: impl Into<String>,
        macos: impl Into<String>,
    ) -> Self {
        Self::ByPlatform { debian: debian.into(), fedora: fedora.into(), macos: macos.into() }
    }

    /// What to do on a platform; on an unknown one, all there is to choose from.
    pub(super) fn on(&self, platform: Option<Platform>) -> String {
        match (self, platform) {
            (Self::Everywhere(text), _) => text.clone(),
            (Self::ByPlatform { debian, .. }, Some(Platform::Debian)) => debian.clone(),
            (Self::ByPlatform { fedora, .. }, Some(Platform::Fedora)) => fedora.clone(),
            (Self::ByPlatform { macos, .. }, Some(Platform::MacOs)) => macos.clone(),
            (Self::ByPlatform { debian, fedora, macos }, None) => {
                format!("Debian/Ubuntu: {debian}\nFedora:        {fedora}\nmacOS:         {macos}")
            }
        }
    }
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) purpose: Purpose,
    pub(super) level: Level,
    pub(super) what: &'static str,
    pub(super) found: String,
    pub(super) fix: Option<Fix>,
}

impl Finding {
    pub(super) fn new(purpose: Purpose, level: Level, what: &'static str, found: impl Into<String>) -> Self {
        Self { purpose, level, what, found: found.into(), fix: None }
    }

    pub(super) fn ok(purpose: Purpose, what: &'static str, found: impl Into<String>) -> Self {
        Self::new(purpose, Level::Ok, what, found)
    }

    pub(super) fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_the_platforms_own_or_all_of_them() {
        let fix = Fix::by_platform("apt", "dnf", "brew");
        assert_eq!(fix.on(Some(Platform::MacOs)), "brew");
        assert_eq!(fix.on(None), "Debian/Ubuntu: apt\nFedora:        dnf\nmacOS:         brew");
        assert_eq!(Fix::everywhere("x").on(None), "x");
    }
}
