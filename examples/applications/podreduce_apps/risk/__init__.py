"""Financial risk: which card transactions are fraud, how sure that is, why, and which cards to call about today.

From transactions and late fraud reports to alerts, a report and a model card. What a row shows is what was known when
the transaction happened: windows end at its own time, and reports count only after the label delay.

Rule: jobs that read the whole data use numpy and pyarrow only. Card numbers leave `clean` as keyed tokens only.
"""
