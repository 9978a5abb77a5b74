//! The table: a row for each figure, a column for each contestant.

use std::fmt;

/// Figures by name and contestant, one value a round.
pub struct Table {
    contestants: Vec<String>,
    rows: Vec<(String, Vec<Vec<f64>>)>,
}

impl Table {
    pub fn new(contestants: &[&str]) -> Self {
        Self {
            contestants: contestants.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    /// Enters one round of a contestant: lines of a name, a tab and a value.
    pub fn enter(&mut self, contestant: &str, lines: &str) {
        let column = self.contestants.iter().position(|name| name == contestant);
        let column = column.expect("a contestant of this table");
        for line in lines.lines() {
            let (name, value) = line.split_once('\t').expect("a name, a tab and a value");
            let row = self.rows.iter().position(|row| row.0 == name).unwrap_or_else(|| {
                self.rows.push((name.into(), vec![Vec::new(); self.contestants.len()]));
                self.rows.len() - 1
            });
            self.rows[row].1[column].push(value.parse().expect("a number"));
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:36}", "median of the rounds")?;
        for name in &self.contestants {
            write!(f, "{name:>20}")?;
        }
        writeln!(f)?;
        for (name, columns) in &self.rows {
            write!(f, "{name:36}")?;
            let medians: Vec<_> = columns.iter().map(|values| median(values)).collect();
            for value in &medians {
                if value.is_nan() {
                    write!(f, "{:>12} {:7}", "-", "")?;
                    continue;
                }
                let ratio = match value / medians[0] {
                    ratio if ratio.is_finite() => format!("({ratio:.2})"),
                    _ => String::new(),
                };
                let digits = if value.abs() < 100.0 { 2 } else { 0 };
                write!(f, "{value:>12.digits$} {ratio:>7}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
